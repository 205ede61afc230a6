"""Why a charge is what it is: its formula, the usage it stands for, the facts behind that, and what came before and after."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.db.models import Q

from billing.metering import Kind
from billing.models import Charge, UsageInterval
from billing.money import Money
from engines.models import RunFact, VolumeFact


@dataclass(frozen=True, slots=True)
class Explanation:
    """One charge and all that it follows from. Reads only."""

    charge: Charge
    formula: str  # "2.50 × 1 × 2643 ÷ 3600 = 1.835416667"; of what people entered, its reason
    history: list[Charge]  # every revision of the line, oldest first
    intervals: list[UsageInterval]  # the usage as it is known now, which may have changed since
    facts: list[RunFact] | list[VolumeFact]  # without those that say only that a run was alive


def explain(charge: Charge) -> Explanation:
    """Explain the charge. Four queries."""
    history = Charge.objects.filter(line_key=charge.line_key).order_by("revision", "pk")
    overlapping = Q(ends_at__isnull=True) | Q(ends_at__gt=charge.starts_at)
    intervals = UsageInterval.objects.filter(overlapping, starts_at__lt=charge.ends_at).select_related("owner")
    return Explanation(
        charge=charge,
        formula=formula(charge),
        history=list(history.select_related("period", "owner", "price", "gpu_class", "instance", "volume")),
        intervals=list(intervals.filter(**_subject(charge)).order_by("starts_at")) if _subject(charge) else [],
        facts=_facts(charge),
    )


def formula(charge: Charge) -> str:
    """Write how the amount was worked out; every digit, no currency."""
    if charge.per_hour is None:
        return charge.reason
    return f"{_plain(charge.per_hour, charge.currency)} × {charge.quantity} × {charge.seconds} ÷ 3600 = {_exact(charge)}"


def find(line: str) -> Charge | None:
    """Return the charge of this number, or the last word about the line of this key; None if there is none."""
    if line.isascii() and line.isdigit():
        return Charge.objects.filter(pk=int(line)).first()
    try:
        key = UUID(line)
    except ValueError:
        return None
    return Charge.objects.filter(line_key=key).order_by("-revision", "-pk").first()


def _plain(amount: Decimal, currency: str) -> str:
    return Money(amount, currency).exact.partition(" ")[2]


def _exact(charge: Charge) -> str:
    return charge.money.exact.partition(" ")[2]


def _subject(charge: Charge) -> dict[str, UUID]:
    """Return how rows about the same instance or volume are found; nothing where the charge is about the tenant."""
    subject = {"instance_id": charge.instance_id, "volume_id": charge.volume_id}
    return {name: pk for name, pk in subject.items() if pk is not None}


def _facts(charge: Charge) -> list[RunFact] | list[VolumeFact]:
    if charge.volume_id is not None:
        return list(VolumeFact.objects.filter(volume=charge.volume_id).order_by("at", "pk"))
    if charge.instance_id is None:
        return []
    facts = RunFact.objects.filter(instance=charge.instance_id, run_id=charge.run_id)
    return list(facts.exclude(kind=Kind.SEEN).order_by("at", "pk"))
