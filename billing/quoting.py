"""What a launch would cost, said before it is made: by the hour, until it is paused by itself, for a session as they usually are,
its data by the day, and how long the tightest budget lasts with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median

from django.db.models import DurationField, ExpressionWrapper, F, Max, Sum

from billing.accounts import calendar_of
from billing.accrual import HOUR_SECONDS
from billing.budgets.admission import refusal
from billing.budgets.queries import tightest_for
from billing.budgets.standing import Standing
from billing.calendars import Calendar
from billing.estimating import Plan, estimate
from billing.models import UsageInterval
from billing.money import Money
from engines.admission import Run
from engines.models import Capacity, Engine, GpuClass, Volume
from engines.release.rules import policy_of
from tenants.models import Membership

DAYS_BACK = timedelta(days=90)
LEAST_RUNS = 3
MOST_RUNS = 200
"""Sessions that say what is usual: so many at least, and the latest so many."""
DAY_HOURS = 24


@dataclass(frozen=True, slots=True)
class Planned:
    """A launch as it stands on the page: data that exists, or so many GiB of new data."""

    engine: Engine
    gpu_class: GpuClass
    tag: str = ""
    volume: Volume | None = None
    size_gib: int = 0


@dataclass(frozen=True, slots=True)
class Session:
    """So long, and what that costs; None where no price is set."""

    seconds: int
    cost: Money | None


@dataclass(frozen=True, slots=True)
class Headroom:
    """The budget that would be used up first, and for how long it lasts with this launch; `refusal`: why it leaves no room."""

    name: str
    hours: Decimal
    refusal: str


@dataclass(frozen=True, slots=True)
class Quote:
    """All estimates, by the prices of now and those that are set for later."""

    per_hour: Money | None
    stored_per_day: Money | None  # of data; None without a price or without data
    left_alone: Session | None  # until it is paused because nobody uses it; None if it never is
    usual: Session | None  # None while too few sessions are known
    headroom: Headroom | None  # None without a budget that would ever stop it


def quote(membership: Membership, planned: Planned, *, now: datetime) -> Quote:
    """Work it out for a member who thinks of launching. Ten queries at most, and seven for each budget that blocks."""
    calendar, now = calendar_of(membership.tenant), now.replace(microsecond=0)
    pricing = _Pricing(membership.tenant_id, calendar, now)
    per_hour = pricing.run(planned.gpu_class, HOUR_SECONDS)
    return Quote(
        per_hour=per_hour,
        stored_per_day=pricing.storage_for_a_day(planned),
        left_alone=_left_alone(membership.tenant_id, planned, pricing),
        usual=_usual(membership.tenant_id, planned, pricing, now),
        headroom=headroom(membership, planned.gpu_class, planned.tag, per_hour, now=now),
    )


@dataclass(frozen=True, slots=True)
class _Pricing:
    tenant_id: int
    calendar: Calendar
    now: datetime

    def run(self, gpu_class: GpuClass, seconds: int) -> Money | None:
        """What so many seconds of the class cost from now on."""
        return self._total(Plan(self.now, self.now + timedelta(seconds=seconds), gpu_class=gpu_class))

    def storage_for_a_day(self, planned: Planned) -> Money | None:
        """What the data costs for twenty-four hours; None where its class has no price, or is not known yet."""
        size_gib = planned.volume.size_gib if planned.volume else planned.size_gib
        storage_class = _storage_class(planned)
        if not size_gib or storage_class is None:
            return None
        ends_at = self.now + timedelta(hours=DAY_HOURS)
        return self._total(Plan(self.now, ends_at, storage_gib=size_gib, storage_class=storage_class))

    def _total(self, plan: Plan) -> Money | None:
        stretches = estimate(plan, tenant_id=self.tenant_id, calendar=self.calendar)
        amounts = [each.amount for each in stretches]
        currencies = {each.currency for each in stretches}
        if None in amounts or len(currencies) != 1:
            return None
        return Money(sum((each for each in amounts if each is not None), Decimal(0)), currencies.pop())


def _storage_class(planned: Planned) -> str | None:
    """Return the storage class that the data has, or will have wherever the class is offered; None if that is not one."""
    if planned.volume is not None:
        return str(planned.volume.cluster.config.get("storage_class") or "")
    offered = Capacity.objects.filter(gpu_class=planned.gpu_class, slots__gt=0, cluster__enabled=True).select_related("cluster")
    found = {str(each.cluster.config.get("storage_class") or "") for each in offered}
    return found.pop() if len(found) == 1 else None


def _left_alone(tenant_id: int, planned: Planned, pricing: _Pricing) -> Session | None:
    policy = policy_of(tenant_id=tenant_id, engine_id=planned.engine.pk, gpu_class_id=planned.gpu_class.pk)
    if policy.exempt or policy.hours is not None:
        return None
    seconds = int(max(policy.warm_up + policy.idle, policy.minimum_run).total_seconds())
    return Session(seconds, pricing.run(planned.gpu_class, seconds))


def _usual(tenant_id: int, planned: Planned, pricing: _Pricing, now: datetime) -> Session | None:
    """The median of the tenant's latest sessions with this engine that are over, whatever GPU they had."""
    lengths = _lengths(tenant_id, planned.engine, now)
    if len(lengths) < LEAST_RUNS:
        return None
    seconds = int(median(lengths))
    return Session(seconds, pricing.run(planned.gpu_class, seconds))


def _lengths(tenant_id: int, engine: Engine, now: datetime) -> Sequence[int]:
    rows = UsageInterval.objects.gpu().filter(
        tenant=tenant_id, instance__engine_version__engine=engine, starts_at__gte=now - DAYS_BACK, ends_at__isnull=False
    )
    lasted = ExpressionWrapper(F("ends_at") - F("starts_at"), output_field=DurationField())
    runs = rows.order_by().values("run_id").annotate(lasted=Sum(lasted), last=Max("ends_at")).order_by("-last")
    return [int(each["lasted"].total_seconds()) for each in runs[:MOST_RUNS]]


def headroom(membership: Membership, gpu_class: GpuClass, tag: str, per_hour: Money | None, *, now: datetime) -> Headroom | None:
    """Return what the tightest budget leaves for a run of the member's at this price; None without one that would stop it."""
    if per_hour is None:
        return None
    run = Run(membership.tenant, membership.user, gpu_class, tag, by=membership)
    found: Standing | None = tightest_for(run, per_hour, now=now)
    if found is None:
        return None
    full = "" if found.has_room_for(per_hour) else refusal(found, membership, per_hour)
    return Headroom(found.budget.name, found.hours_left(per_hour) or Decimal(0), full)
