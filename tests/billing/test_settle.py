"""Settling makes the books say what the facts and prices come to."""

from decimal import Decimal

import pytest

from billing.models import Charge, Meter, UsageInterval
from billing.operations import set_price, settle
from engines.models import GpuClass, Instance
from engines.states import InstanceState
from tests.billing.facts import lines, moment, record

START = moment("2026-03-10T10:00:00")


def charges(instance: Instance) -> list[Charge]:
    return list(Charge.objects.filter(instance=instance).order_by("pk"))


def test_lasting_usage_is_charged_by_full_hours_that_are_over(instance: Instance) -> None:
    record(instance, "ready", START)
    assert settle(instance.pk, now=moment("2026-03-10T11:09:59")) == 0
    assert settle(instance.pk, now=moment("2026-03-10T11:10:00")) == 1
    assert lines(charges(instance)) == [("original", 3600, "2.500000000")]
    [interval] = UsageInterval.objects.all()
    assert (interval.starts_at, interval.ends_at, interval.owner) == (START, None, instance.owner)


def test_usage_that_is_over_is_charged_at_once(instance: Instance) -> None:
    record(instance, "ready", START)
    record(instance, "ended", moment("2026-03-10T10:20:00"))
    assert settle(instance.pk, now=moment("2026-03-10T10:20:01")) == 1
    assert lines(charges(instance)) == [("original", 1200, "0.833333333")]


def test_late_and_better_ends_correct_the_books(instance: Instance) -> None:
    """Case 5: open accrual, then an end by absence, then the cluster's own word."""
    record(instance, "ready", START)
    settle(instance.pk, now=moment("2026-03-10T12:10:00"))
    record(instance, "ended", moment("2026-03-10T11:42:10"), source="reconcile")
    settle(instance.pk, now=moment("2026-03-10T12:15:00"))
    record(instance, "ended", moment("2026-03-10T11:44:03"))
    settle(instance.pk, now=moment("2026-03-10T12:16:00"))
    rows = charges(instance)
    assert lines(rows) == [
        ("original", 3600, "2.500000000"),
        ("original", 3600, "2.500000000"),
        ("reversal", -3600, "-2.500000000"),
        ("replacement", 2530, "1.756944444"),
        ("reversal", -2530, "-1.756944444"),
        ("replacement", 2643, "1.835416667"),
    ]
    assert [row.revision for row in rows] == [0, 0, 1, 1, 2, 2]
    assert len({row.line_key for row in rows}) == 2
    assert sum(row.seconds for row in rows) == 6243
    assert sum(row.amount for row in rows) == Decimal("4.335416667")


@pytest.mark.parametrize(("first", "rows"), [("reconcile", 3), ("cluster", 1)])
def test_two_words_about_one_end_in_either_order(instance: Instance, first: str, rows: int) -> None:
    """Case 15."""
    ends = {"reconcile": moment("2026-03-10T10:15:00"), "cluster": moment("2026-03-10T10:16:40")}
    record(instance, "ready", START)
    for source in sorted(ends, key=lambda source: source != first):
        record(instance, "ended", ends[source], source=source)
        settle(instance.pk, now=moment("2026-03-10T10:20:00"))
    assert len(charges(instance)) == rows
    assert sum(row.amount for row in charges(instance)) == Decimal("0.694444444")


def test_end_before_its_start_is_known(instance: Instance) -> None:
    """Case 14."""
    record(instance, "ended", moment("2026-03-10T10:08:20"))
    assert settle(instance.pk, now=moment("2026-03-10T12:00:00")) == 0
    record(instance, "ready", START, observed_at=moment("2026-03-13T10:00:00"))
    assert settle(instance.pk, now=moment("2026-03-13T10:00:00")) == 1
    assert lines(charges(instance)) == [("original", 500, "0.347222222")]


def test_second_time_posts_nothing(instance: Instance) -> None:
    record(instance, "ready", START)
    record(instance, "ended", moment("2026-03-10T12:20:00"))
    now = moment("2026-03-10T13:00:00")
    assert settle(instance.pk, now=now) == 3
    assert settle(instance.pk, now=now) == 0
    assert settle(instance.pk, now=moment("2026-04-10T13:00:00")) == 0


def test_a_clock_that_lags_takes_nothing_back(instance: Instance) -> None:
    record(instance, "ready", START)
    settle(instance.pk, now=moment("2026-03-10T12:10:00"))
    assert settle(instance.pk, now=moment("2026-03-10T12:09:00")) == 0
    assert Meter.objects.get().settled_to == moment("2026-03-10T12:00:00")


@pytest.mark.parametrize("state", [InstanceState.STOPPED, InstanceState.FAILED, InstanceState.DELETED])
def test_run_without_an_end_is_billed_to_its_last_sign_of_life(instance: Instance, state: InstanceState) -> None:
    record(instance, "ready", START)
    for minute in (5, 10, 25):
        record(instance, "seen", moment(f"2026-03-10T10:{minute:02}:00"))
    Instance.objects.update(state=state)
    settle(instance.pk, now=moment("2026-03-10T18:00:00"))
    assert lines(charges(instance)) == [("original", 1500, "1.041666667")]


def test_new_price_corrects_what_was_charged_since(instance: Instance, h100: GpuClass) -> None:
    record(instance, "ready", START)
    record(instance, "ended", moment("2026-03-10T12:00:00"))
    settle(instance.pk, now=moment("2026-03-10T12:10:00"))
    set_price(gpu_class=h100, per_hour=Decimal(2), starts_at=moment("2026-03-10T11:30:00"))
    settle(instance.pk, now=moment("2026-03-10T12:10:00"))
    assert lines(charges(instance))[2:] == [
        ("reversal", -3600, "-2.500000000"),
        ("replacement", 1800, "1.250000000"),
        ("original", 1800, "1.000000000"),
    ]
