"""How far the closing of a month is, account by account: what operators look at before they close it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from django.db.models import Sum

from billing.auditing import verify
from billing.closing import Blocker, blockers
from billing.models import BillingPeriod, MonthRollup
from billing.money import Money
from billing.verifying import Difference


class Phase(StrEnum):
    """A month is open until it is over, then closing, and closed for ever in the end."""

    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Standing:
    """One month of one account."""

    period: BillingPeriod
    phase: Phase
    amount: Money  # what is posted in it by now
    blockers: list[Blocker]  # of one that is over and not closed
    differences: list[Difference] | None  # None: not looked at

    @property
    def is_closable(self) -> bool:
        """Tell whether nothing keeps it open."""
        return self.phase == Phase.CLOSING and not self.blockers


def standings(periods: Iterable[BillingPeriod], *, now: datetime, verified: bool = False) -> list[Standing]:
    """Tell how far each of these is, in their order; `verified` checks the books of each, which reads all of its charges.

    One query for all, and about ten for each that is over.
    """
    periods = list(periods)
    rows = MonthRollup.objects.filter(period__in=periods).order_by().values_list("period", "currency").annotate(Sum("amount"))
    posted = {(period_id, currency): amount for period_id, currency, amount in rows}
    return [_standing(each, posted.get((each.pk, each.currency), Decimal(0)), now=now, verified=verified) for each in periods]


def _standing(period: BillingPeriod, posted: Decimal, *, now: datetime, verified: bool) -> Standing:
    phase = phase_of(period, now)
    return Standing(
        period=period,
        phase=phase,
        amount=Money(posted, period.currency),
        blockers=blockers(period, now=now) if phase == Phase.CLOSING else [],
        differences=verify(tenant=period.tenant, month=period.month) if verified else None,
    )


def phase_of(period: BillingPeriod, now: datetime) -> Phase:
    """Tell where in its life a month is."""
    if period.is_closed:
        return Phase.CLOSED
    return Phase.CLOSING if period.ends_at <= now else Phase.OPEN
