"""What releases for idleness have saved in a window: see billing.insights.releases for what is claimed."""

from dataclasses import dataclass
from decimal import Decimal

from billing.insights import formulas
from billing.insights.gathering import Known
from billing.insights.releases import spared
from billing.rating import amount_of


@dataclass(frozen=True, slots=True)
class Realised:
    """What releases for idleness have saved; an estimate that is part of no cost."""

    releases: int
    seconds: int
    amount: Decimal
    formulas: list[str]


def realised(known: Known) -> Realised | None:
    """Add up all classes that have a price; None where idleness ended no run."""
    found = {pk: spared(each, known.window, known.zone) for pk, each in known.released.items() if pk in known.paid}
    if not found:
        return None
    lines = (formulas.releases(known.classes[pk].name, each, known.paid[pk], known.currency) for pk, each in found.items())
    return Realised(
        releases=sum(each.releases for each in found.values()),
        seconds=sum(each.seconds for each in found.values()),
        amount=sum((amount_of(known.paid[pk], each.seconds) for pk, each in found.items()), Decimal(0)),
        formulas=sorted(lines),
    )
