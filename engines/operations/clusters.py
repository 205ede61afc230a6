"""What operators do with clusters: credentials, and GPU classes that they propose.

Whoever calls has made sure that the person may change clusters. `by`: None for the portal itself.
"""

from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from aigc_portal.sealing import seal
from engines import catalog_schema as schema
from engines.clusters.base import Proposal
from engines.models import Cluster, ClusterSecret, GpuClass
from engines.operations.catalog_fields import gpu_class_fields
from tenants.audit.operations import Subject, record
from tenants.models import User


@transaction.atomic
def store_secret(*, cluster: Cluster, name: str, value: str, by: User | None = None) -> ClusterSecret:
    """Encrypt and keep a credential, in place of one of the same name; running processes use it from their next call on."""
    secret, _created = ClusterSecret.objects.update_or_create(cluster=cluster, name=name, defaults={"sealed": seal(value)})
    _audit("cluster.secret_stored", cluster, name, by)
    _changed(cluster)
    return secret


@transaction.atomic
def forget_secret(*, secret: ClusterSecret, by: User | None = None) -> None:
    """Remove a credential; the cluster that needs it cannot be reached from then on."""
    cluster = secret.cluster
    ClusterSecret.objects.filter(pk=secret.pk).delete()
    _audit("cluster.secret_forgotten", cluster, secret.name, by)
    _changed(cluster)


@transaction.atomic
def adopt_classes(*, proposals: Iterable[Proposal], by: User | None = None) -> list[GpuClass]:
    """Add proposed classes, hidden until somebody has looked at them; return the new ones. What exists is left as it is."""
    added = []
    for proposal in proposals:
        entry = schema.GpuClass.model_validate(dict(proposal.entry))
        fields = gpu_class_fields(entry) | {"hidden": True}
        gpu_class, created = GpuClass.objects.get_or_create(slug=proposal.slug, defaults=fields)
        added += [gpu_class] if created else []
    for gpu_class in added:
        record("catalog.adopted", actor=by, subject=Subject("gpuclass", gpu_class.slug, gpu_class.name))
    return added


def _audit(kind: str, cluster: Cluster, name: str, by: User | None) -> None:
    record(kind, actor=by, subject=Subject("cluster", cluster.slug, cluster.name), details={"name": name})


def _changed(cluster: Cluster) -> None:
    Cluster.objects.filter(pk=cluster.pk).update(credentials_changed_at=timezone.now())
