"""However facts trickle in and whenever it is settled, the books end up the same."""

import random
import uuid
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.auditing import verify
from billing.calendars import Calendar
from billing.metering import BillFrom, Fact, meter
from billing.models import Charge, Meter
from billing.operations import settle
from billing.pricebook import PriceBook
from billing.pricing import price_spans
from billing.rating import cells
from billing.settling import watermark
from engines.models import Instance
from tests.billing.facts import BEGINNING, fact, moment, record

T0 = moment("2026-03-31T20:00:00")
END = T0 + timedelta(hours=14)
OFFSETS = st.one_of(
    st.integers(0, 40_000), st.builds(lambda hour, off: hour * 3600 + off, st.integers(1, 11), st.integers(-1, 1))
)
KINDS = st.sampled_from(["ready", "seen", "ended"])
EVENTS = st.lists(st.tuples(KINDS, OFFSETS, st.sampled_from("ab"), st.sampled_from(["cluster", "reconcile"])), max_size=10)


def write(instance: Instance, event: tuple[str, int, str, str]) -> None:
    kind, offset, run, source = event
    run_id = str(uuid.uuid5(instance.pk, run))
    record(instance, kind, T0 + timedelta(seconds=offset), run_id=run_id, source=source, observed_at=END)


def read(instance: Instance) -> list[Fact]:
    who = {"tenant_id": instance.tenant_id, "owner_id": instance.owner_id, "gpu_class_id": instance.gpu_class_id}
    return [
        fact(row.kind, row.at, run_id=row.run_id, source=row.source, observed_at=row.observed_at, **who)
        for row in instance.run_facts.all()
    ]


def expected(instance: Instance, now: datetime) -> dict[tuple[Any, ...], Decimal]:
    """What the books should say, worked out in one go from everything that is known."""
    usage = meter(read(instance), holds_gpu=True, bill_from=BillFrom.READY).usage
    prices, calendar = PriceBook(price_spans({instance.gpu_class_id})), Calendar.of("UTC", "USD")
    found = [cell for one in usage for cell in cells(one, prices, calendar, since=BEGINNING, until=one.ends_at or watermark(now))]
    return {(cell.usage.run_id, cell.starts_at, cell.ends_at, cell.seconds): cell.cost.amount for cell in found if cell.cost}


def standing(instance: Instance) -> dict[tuple[Any, ...], Decimal]:
    """What the books say once reversals are taken off."""
    lines: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for row in Charge.objects.filter(instance=instance):
        lines[row.run_id, row.starts_at, row.ends_at, abs(row.seconds)] += row.amount
    return {line: amount for line, amount in lines.items() if amount}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=EVENTS, chance=st.randoms(use_true_random=False))
def test_any_order_any_repeats_any_moments_of_settling(
    make_running: Callable[..., Instance], events: list[tuple[str, int, str, str]], chance: random.Random
) -> None:
    instance = make_running()
    arriving = events + chance.sample(events, k=len(events) // 2)
    chance.shuffle(arriving)
    now = T0
    for event in arriving:
        write(instance, event)
        if chance.random() < 0.5:
            now = min(END, now + timedelta(seconds=chance.randrange(20_000)))
            settle(instance.pk, now=now)
    settle(instance.pk, now=END)
    assert standing(instance) == expected(instance, END)
    assert settle(instance.pk, now=END) == 0
    assert verify() == []
    assert Meter.objects.get(pk=instance.pk).dirty_from is None
