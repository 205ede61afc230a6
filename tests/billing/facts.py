"""Short ways to write facts, prices and moments for tests."""

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from billing.metering import Fact
from billing.models import Charge
from billing.pricebook import PriceSpan
from engines.models import Instance, RunFact, Volume, VolumeFact

BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)


def moment(text: str) -> datetime:
    """Read an ISO moment; UTC unless it says otherwise."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def fact(kind: str, at: datetime, *, run_id: str = "run", **fields: Any) -> Fact:
    defaults = {"source": "cluster", "observed_at": at, "tenant_id": 1, "owner_id": 1, "gpu_class_id": 1}
    return Fact(run_id=run_id, kind=kind, at=at, **defaults | fields)


def span(per_hour: str = "2.50", starts_at: datetime = BEGINNING, ends_at: datetime | None = None, **fields: Any) -> PriceSpan:
    defaults = {"id": 1, "gpu_class_id": 1, "tenant_id": None, "currency": "USD"}
    return PriceSpan(per_hour=Decimal(per_hour), starts_at=starts_at, ends_at=ends_at, **defaults | fields)


def record(instance: Instance, kind: str, at: datetime, *, run_id: str = "", **fields: Any) -> RunFact:
    """Write a fact as the watcher does; a repeat changes nothing. `run_id` empty: the instance's one run."""
    who = {"tenant": instance.tenant, "owner": instance.owner, "gpu_class": instance.gpu_class}
    defaults = {"observed_at": at, "engine_version": instance.engine_version} | who
    source = fields.pop("source", "cluster")
    run_id = run_id or str(uuid.uuid5(instance.pk, "run"))
    return RunFact.objects.get_or_create(
        instance=instance, run_id=run_id, kind=kind, source=source, at=at, defaults=defaults | fields
    )[0]


def provisioned(volume: Volume, at: datetime, *, observed_at: datetime, size_gib: int) -> VolumeFact:
    """Write that a volume is there, as the watcher does."""
    who = {"tenant": volume.tenant, "owner": volume.owner}
    about = {"source": "cluster", "at": at, "observed_at": observed_at, "size_gib": size_gib}
    return VolumeFact.objects.create(volume=volume, kind="provisioned", **about | who)


def lines(charges: Iterable[Charge]) -> list[tuple[str, int, str]]:
    """Kind, seconds and amount of each, in the order of posting."""
    return [(charge.kind, charge.seconds, str(charge.amount)) for charge in sorted(charges, key=lambda charge: charge.pk)]
