"""What somebody who sees only their own costs wants to know beside them: what may still be spent, and what paused data costs."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.accrual import accrued
from billing.budgets.allowance import Allowance, allowances
from billing.budgets.standing import Standing
from billing.calendars import Calendar
from billing.models import UsageInterval
from billing.money import Money
from billing.queries import visible_to
from engines.models import Instance, Volume
from engines.states import HOLDS_GPU, InstanceState
from tenants import access
from tenants.access import Action
from tenants.models import Membership

HOURS_OF_A_DAY = 24


@dataclass(frozen=True, slots=True)
class Disk:
    """Data that costs money while nothing runs on it; `instance` None: no engine has it any more."""

    volume: Volume
    instance: Instance | None
    per_day: Money  # for 24 hours, at the price of now


@dataclass(frozen=True, slots=True)
class Own:
    """All of it, of one moment."""

    allowances: Sequence[Allowance]
    disks: Sequence[Disk]  # the dearest first
    disks_per_day: Money


def own(membership: Membership, calendar: Calendar, *, now: datetime, budgets: Iterable[Standing]) -> Own:
    """Read it, given how some budgets stand.

    Two queries at least; three more where data is stored, and of other budgets what `allowances` says.
    """
    disks = _paused_disks(membership, calendar, now)
    total = Money.sum((each.per_day for each in disks), calendar.currency_at(now))
    left = allowances(membership, now=now, known=budgets) if access.may(membership, Action.LAUNCH) else []
    return Own(left, disks, total)


def _paused_disks(membership: Membership, calendar: Calendar, now: datetime) -> list[Disk]:
    """Return the member's data that has a price and no engine at work; what is in the trash goes by itself."""
    stored = UsageInterval.objects.storage().filter(visible_to(membership), volume__state=Volume.State.ACTIVE)
    lasting = accrued(stored, now=now, calendars={membership.tenant_id: calendar})
    instances = _instances_of([each.subject_id for each in lasting])
    found = []
    for each in lasting:
        volume, attached = each.interval.volume, instances[each.subject_id]
        if volume is None or not each.per_hour or any(map(_is_at_work, attached)):
            continue
        per_day = Money(each.per_hour.amount * HOURS_OF_A_DAY, each.per_hour.currency)
        found.append(Disk(volume, attached[0] if attached else None, per_day))
    return sorted(found, key=lambda disk: (-disk.per_day.amount, disk.volume.name))


def _instances_of(volume_ids: Sequence[UUID]) -> dict[UUID, list[Instance]]:
    """Return the instances that have these volumes, the newest first."""
    instances: dict[UUID, list[Instance]] = defaultdict(list)
    kept = Instance.objects.filter(volume__in=volume_ids).exclude(state=InstanceState.DELETED) if volume_ids else ()
    for each in sorted(kept, key=lambda each: each.created_at, reverse=True):
        instances[each.volume_id].append(each)
    return instances


def _is_at_work(instance: Instance) -> bool:
    """Tell whether it runs, or will without anybody asking again."""
    return instance.counts or instance.state in HOLDS_GPU
