"""I15: there are never more runs on a GPU class than there are slots of it; where there seem to be, operators are told."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.auditing import tell_crowds
from billing.crowding import Crowd, crowds
from billing.models import CapacityInterval, UsageInterval
from engines.models import GpuClass, Instance
from tests.billing.facts import moment

START = moment("2026-03-10T10:00:00")
HOUR = timedelta(hours=1)
Span = tuple[int, int | None]


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


@pytest.fixture
def instances(make_running: Callable[..., Instance]) -> list[Instance]:
    return [make_running(name=f"poster {number}") for number in range(4)]


def use(instance: Instance, start: int, end: int | None, kind: str = "gpu") -> UsageInterval:
    return UsageInterval(
        kind=kind,
        instance=instance,
        run_id="run",
        tenant=instance.tenant,
        owner=instance.owner,
        gpu_class=instance.gpu_class,
        starts_at=at(start),
        ends_at=None if end is None else at(end),
    )


def have(instance: Instance, slots: int, start: int, end: int | None = None, pool: str = "") -> CapacityInterval:
    place = {"cluster": instance.cluster, "gpu_class": instance.gpu_class, "pool": pool}
    return CapacityInterval(**place, slots=slots, starts_at=at(start), ends_at=None if end is None else at(end))


def test_too_many_at_once(instances: list[Instance], h100: GpuClass, caplog: pytest.LogCaptureFixture) -> None:
    """Two slots until :30, one after; starts count as well, and both pools."""
    first, second, third, _fourth = instances
    CapacityInterval.objects.bulk_create([have(first, 1, -60, None, "onprem"), have(first, 1, -60, 30, "cloud")])
    UsageInterval.objects.bulk_create([use(first, 0, 40), use(second, 10, None, "starting"), use(third, 20, 25)])
    expected = [Crowd(h100.pk, at(20), at(25), taken=3, slots=2), Crowd(h100.pk, at(30), at(40), taken=2, slots=1)]
    assert crowds(START, START + HOUR) == expected
    assert crowds(at(22), at(31)) == [Crowd(h100.pk, at(22), at(25), 3, 2), Crowd(h100.pk, at(30), at(31), 2, 1)]
    assert tell_crowds(START, START + HOUR) == expected
    assert [each.getMessage() for each in caplog.records] == [
        f"3 runs had a GPU of the class {h100.pk} from 2026-03-10 10:20:00 to 2026-03-10 10:25:00 UTC, and there were 2 slots.",
        f"2 runs had a GPU of the class {h100.pk} from 2026-03-10 10:30:00 to 2026-03-10 10:40:00 UTC, and there were 1 slots.",
    ]


def test_nothing_is_said_of_what_is_not_known(instances: list[Instance]) -> None:
    """Capacity is noted from :30 on; what was there before nobody knows."""
    UsageInterval.objects.bulk_create([use(instances[0], 0, None)])
    assert crowds(START, START + HOUR) == []
    CapacityInterval.objects.bulk_create([have(instances[0], 1, 30, 50)])
    assert [(each.starts_at, each.slots) for each in crowds(START, START + HOUR)] == [(at(50), 0)]


SPANS = st.tuples(st.integers(0, 30), st.none() | st.integers(31, 60)) | st.integers(0, 58).map(lambda start: (start, start + 2))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(used=st.lists(SPANS, max_size=4), had=st.lists(st.tuples(SPANS, st.integers(1, 2)), min_size=1, max_size=3))
def test_minute_by_minute(instances: list[Instance], used: list[Span], had: list[tuple[Span, int]]) -> None:
    UsageInterval.objects.all().delete()
    CapacityInterval.objects.all().delete()
    UsageInterval.objects.bulk_create([use(instance, *span) for instance, span in zip(instances, used, strict=False)])
    pools = ["", "cloud", "onprem"]
    CapacityInterval.objects.bulk_create(
        [have(instances[0], n, *span, pool) for (span, n), pool in zip(had, pools, strict=False)]
    )

    def holds(span: Span, minute: int) -> bool:
        return span[0] <= minute and (span[1] is None or minute < span[1])

    known = min(span[0] for span, _slots in had)
    expected = {}
    for minute in range(known, 60):
        taken, slots = sum(holds(span, minute) for span in used), sum(n for span, n in had if holds(span, minute))
        if taken > slots:
            expected[at(minute)] = (taken, slots)
    found = crowds(START, START + HOUR)
    told = {at(minute): (c.taken, c.slots) for c in found for minute in range(60) if c.starts_at <= at(minute) < c.ends_at}
    assert told == expected
    assert len({each.starts_at for each in found}) == len(found)
