"""What happened to a volume, written down for billing, in the transaction in which it happens."""

from datetime import datetime

from engines.models import Volume, VolumeFact

Kind = VolumeFact.Kind


def note_volume(volume: Volume, kind: VolumeFact.Kind, *, at: datetime, tag: str | None = None) -> None:
    """Write down what the volume is from this moment on; the same twice is once. `tag`: None keeps the one that it had."""
    if tag is None:
        last = VolumeFact.objects.filter(volume=volume).order_by("at", "pk").last()
        tag = last.tag if last else ""
    fact = VolumeFact(
        volume=volume,
        kind=kind,
        source=VolumeFact.Source.PORTAL,
        at=at,
        observed_at=at,
        tenant_id=volume.tenant_id,
        owner_id=volume.owner_id,
        size_gib=volume.size_gib,
        storage_class=str(volume.cluster.config.get("storage_class") or "")[:63],
        tag=tag,
    )
    VolumeFact.objects.bulk_create([fact], ignore_conflicts=True)
