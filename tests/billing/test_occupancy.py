"""What GPUs were there for: billed, taken for free and why, and idle; together all that there was."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db.models import Q
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.models import CapacityInterval, UsageInterval
from billing.occupancy import Occupancy, occupancy, taken
from billing.operations import settle
from engines.models import GpuClass, Instance
from tests.billing.facts import moment, record

START = moment("2026-03-10T10:00:00")
HOUR = timedelta(hours=1)


@pytest.fixture
def used(make_running: Callable[..., Instance]) -> Instance:
    """Two slots; one engine took 60 seconds to start and ran for 40 minutes, another start of it failed for 5."""
    poster = make_running()
    CapacityInterval.objects.create(cluster=poster.cluster, gpu_class=poster.gpu_class, slots=2, starts_at=START - 5 * HOUR)
    for kind, seconds, run_id in (
        *(("started", 0, "a"), ("ready", 60, "a"), ("ended", 2460, "a")),
        *(("started", 3000, "b"), ("ended", 3300, "b")),
    ):
        record(poster, kind, START + timedelta(seconds=seconds), run_id=run_id)
    settle(poster.pk, now=START + 3 * HOUR)
    return poster


def test_unbilled_seconds_have_a_cause(used: Instance) -> None:
    found = taken(Q(tenant=used.tenant), START, START + HOUR, by=("owner__username",))
    assert [(each.kind, each.key, each.seconds) for each in found] == [
        ("failed", ("alice",), 300),
        ("gpu", ("alice",), 2400),
        ("starting", ("alice",), 60),
    ]
    assert [(each.kind, each.seconds) for each in taken(Q(), START, START + timedelta(seconds=90))] == [
        ("gpu", 30),
        ("starting", 60),
    ]
    assert taken(Q(tag="spring"), START, START + HOUR) == []


def test_what_is_not_taken_is_idle(used: Instance, h100: GpuClass) -> None:
    assert occupancy(START, START + HOUR) == [Occupancy(h100.pk, capacity=7200, billed=2400, free=360)]
    assert occupancy(START, START + HOUR)[0].idle == 4440


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(-4000, 8000), min_size=3, max_size=3, unique=True).map(sorted))
def test_windows_add_up(used: Instance, bounds: list[int]) -> None:
    """I17 and I19: wherever a window is split, its parts add up, and billed, free and idle are all that there was."""
    first, middle, last = (START + timedelta(seconds=seconds) for seconds in bounds)

    def sums(begin: datetime, end: datetime) -> tuple[int, int, int, int]:
        [each] = occupancy(begin, end)
        assert each.billed + each.free + each.idle == each.capacity == 2 * int((end - begin).total_seconds())
        return each.capacity, each.billed, each.free, each.idle

    parts = zip(sums(first, middle), sums(middle, last), strict=True)
    assert tuple(map(sum, parts)) == sums(first, last)
    assert UsageInterval.objects.count() == 3
