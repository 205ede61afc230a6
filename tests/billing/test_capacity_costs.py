"""What there was costs what was taken and what was idle, by cluster, class and day; and the operators' page of it."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.calendars import Calendar
from billing.capacity_costs import Place, Share, Used, capacity_costs
from billing.models import CapacityInterval
from billing.occupancy import occupancy
from billing.operations import set_price, settle
from billing.windows import Window
from engines.models import GpuClass, Instance
from tenants.models import User
from tests import factories
from tests.billing.facts import moment, record

UTC_DAYS = Calendar.of("UTC", "USD")
TENTH, ELEVENTH = date(2026, 3, 10), date(2026, 3, 11)
BOTH = Window(TENTH, ELEVENTH)
NOW = moment("2026-03-11T06:00:00.7")
PAGE = reverse("admin:billing_capacityinterval_costs")


@pytest.fixture
def used(make_running: Callable[..., Instance]) -> Instance:
    """Two slots from noon of the 10th on; one engine started for a minute at 23:00, ran to 01:00, and failed for 5 minutes."""
    poster = make_running()
    CapacityInterval.objects.create(
        cluster=poster.cluster, gpu_class=poster.gpu_class, slots=2, starts_at=moment("2026-03-10T12:00")
    )
    for kind, at, run_id in (
        *(("started", "2026-03-10T22:59:00", "a"), ("ready", "2026-03-10T23:00:00", "a"), ("ended", "2026-03-11T01:00:00", "a")),
        *(("started", "2026-03-11T02:00:00", "b"), ("ended", "2026-03-11T02:05:00", "b")),
    ):
        record(poster, kind, moment(at), run_id=run_id)
    settle(poster.pk, now=moment("2026-03-11T05:00"))
    return poster


def the_place(window: Window = BOTH) -> Place:
    [place] = capacity_costs(window, UTC_DAYS, now=NOW)
    return place


def shares(used: Used) -> list[tuple[int, str]]:
    return [(each.seconds, each.money.exact) for each in (used.capacity, used.billed, used.free, used.idle)]


def test_days_are_told_apart(used: Instance) -> None:
    """A slot-hour is worth USD 2.50; the 11th counts up to now."""
    days = the_place().days
    assert list(days) == [TENTH, ELEVENTH]
    assert shares(days[TENTH]) == [(86400, "USD 60.00"), (3600, "USD 2.50"), (60, "USD 0.041666667"), (82740, "USD 57.458333333")]
    assert shares(days[ELEVENTH]) == [
        *((43200, "USD 30.00"), (3600, "USD 2.50")),
        *((300, "USD 0.208333333"), (39300, "USD 27.291666667")),
    ]
    assert (days[TENTH].idle_percent, days[TENTH].billed_millis, days[TENTH].allocated_millis) == (95, 41, 42)


def test_a_new_list_price_counts_from_its_second(used: Instance, h100: GpuClass) -> None:
    set_price(gpu_class=h100, per_hour=Decimal(5), starts_at=moment("2026-03-10T23:30"))
    of_tenth = the_place(Window(TENTH, TENTH)).days[TENTH]
    # 11.5 hours of two slots at 2.50, half an hour of them at 5; of the hour that was billed half at each.
    assert shares(of_tenth)[:2] == [(86400, "USD 62.50"), (3600, "USD 3.75")]


def test_one_tenant_s_own_price_is_not_what_a_slot_is_worth(used: Instance, h100: GpuClass) -> None:
    set_price(gpu_class=h100, per_hour=Decimal(1), starts_at=moment("2026-03-01"), tenant=used.tenant)
    assert the_place().total.capacity.money.exact == "USD 90.00"


def test_a_share_of_a_gpu_is_worth_its_share(used: Instance, h100: GpuClass) -> None:
    GpuClass.objects.filter(pk=h100.pk).update(billed_milli=250)
    assert the_place().total.capacity == Share(129600, Decimal("22.500000000"))


def test_time_without_a_list_price_has_no_value(used: Instance, gpu_class: GpuClass) -> None:
    CapacityInterval.objects.create(cluster=used.cluster, gpu_class=gpu_class, slots=1, starts_at=moment("2026-03-10T23:00"))
    unpriced = next(each for each in capacity_costs(Window(TENTH, TENTH), UTC_DAYS, now=NOW) if each.gpu_class == gpu_class)
    assert (unpriced.total.capacity, unpriced.total.unpriced_seconds) == (Share(3600, Decimal(0)), 3600)


def test_days_to_come_are_not_there(used: Instance) -> None:
    assert capacity_costs(Window(date(2026, 3, 12), date(2026, 3, 13)), UTC_DAYS, now=NOW) == []


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(-3, 3), st.integers(0, 3), st.sampled_from(["UTC", "Asia/Kathmandu", "America/Los_Angeles"]))
def test_taken_and_idle_are_all_there_was(used: Instance, first: int, length: int, zone: str) -> None:
    """I17, whatever the days; and the same seconds as the sums by class."""
    calendar = Calendar.of(zone, "USD")
    window = Window(TENTH + timedelta(days=first), TENTH + timedelta(days=first + length))
    total = sum((place.total for place in capacity_costs(window, calendar, now=NOW)), Used())
    assert total.allocated + total.idle == total.capacity
    start, end = window.moments(calendar)
    end = min(end, NOW.replace(microsecond=0))
    known = occupancy(start, end)[0] if start < end and occupancy(start, end) else None
    assert (total.capacity.seconds, total.billed.seconds, total.free.seconds) == (
        (known.capacity, known.billed, known.free) if known else (0, 0, 0)
    )


@pytest.mark.parametrize("window", ["", "?window=7d", "?window=month", "?window=nonsense"])
def test_operators_see_it(client: Client, olga: User, used: Instance, window: str) -> None:
    client.force_login(olga)
    with time_machine.travel(NOW, tick=False):
        page = client.get(PAGE + window)
    assert page.status_code == 200
    html = page.content.decode()
    assert 'title="USD 84.75"' in html  # idle of both days
    assert html.count("<rect") == 6
    assert "More was taken" not in html


def test_more_taken_than_there_is_said(client: Client, olga: User, used: Instance) -> None:
    CapacityInterval.objects.all().delete()
    client.force_login(olga)
    with time_machine.travel(NOW, tick=False):
        assert "More was taken than was known to be there." in client.get(PAGE).content.decode()


def test_nothing_known_is_said(client: Client, olga: User) -> None:
    client.force_login(olga)
    assert "Nothing is known of capacity" in client.get(PAGE).content.decode()


def test_it_needs_the_right(client: Client, used: Instance) -> None:
    client.force_login(factories.make_operator("sam", "billing.view_price"))
    assert client.get(PAGE).status_code == 403
    client.force_login(factories.make_operator("sara", "billing.view_capacityinterval"))
    assert client.get(PAGE).status_code == 200
    assert PAGE in client.get("/admin/").content.decode()
