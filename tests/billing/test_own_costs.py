"""What an artist reads beside their own costs: what may still be spent, in hours, and what paused engines' data costs."""

from collections.abc import Callable
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.budgets.allowance import Allowance, allowances
from billing.operations import set_price, set_storage_price, settle_due
from engines.models import Capacity, GpuClass, Instance, Volume, VolumeFact
from engines.states import DesiredState, InstanceState
from engines.volume_facts import note_volume
from tenants.models import Membership, Tenant, User
from tests import factories
from tests.billing import budgets
from tests.billing.facts import BEGINNING, moment
from tests.billing.test_pages import page

NOW = moment("2026-03-10T12:00:00")
ADDRESS = "/acme/costs/"


@pytest.fixture(autouse=True)
def _at_now() -> object:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def l4(db: None) -> GpuClass:
    gpu_class = factories.make_gpu_class("l4", name="L4")
    set_price(gpu_class=gpu_class, per_hour=Decimal("0.50"), starts_at=BEGINNING)
    return gpu_class


@pytest.fixture
def spent(make_running: Callable[..., Instance], l4: GpuClass) -> Instance:
    """alice's poster has cost USD 43.20 this month and is paused; H100 and L4 are on offer."""
    poster = make_running(name="poster", state=InstanceState.STOPPED, desired_state=DesiredState.STOPPED)
    Capacity.objects.create(cluster=poster.cluster, gpu_class=l4, slots=1)
    budgets.spend(poster, 17.28, end=NOW, run_id="a")
    return poster


def left_for(person: User) -> list[tuple[str, str, dict[str, str]]]:
    membership = Membership.objects.select_related("tenant").get(user=person)
    return [_told(each) for each in allowances(membership, now=NOW)]


def _told(found: Allowance) -> tuple[str, str, dict[str, str]]:
    left = str(found.standing.left) if found.shows_amounts else f"{found.left_percent} %"
    return found.standing.budget.name, left, {each.gpu_class.slug: str(each.hours) for each in found.hours}


def test_hours_are_what_the_rest_pays_for(client: Client, acme: Tenant, alice: User, spent: Instance) -> None:
    budgets.make(acme, "100", name="alice's", person=alice, action="block")
    assert left_for(alice) == [("alice's", "USD 56.80", {"h100": "22.7", "l4": "113"})]
    html = page(client, alice, ADDRESS)
    assert "Left of “alice&#x27;s”" in html
    assert '<strong class="num">22.7 h</strong> of H100 or <strong class="num">113 h</strong> of L4' in html
    assert "takes" not in html  # nothing runs


def test_tightest_of_those_that_can_refuse_is_told(acme: Tenant, alice: User, anna: User, spent: Instance) -> None:
    assert left_for(alice) == []
    budgets.make(acme, "50", name="only tells", person=alice)
    budgets.make(acme, "44", name="another's", person=anna, action="block")
    budgets.make(acme, "44", name="another project", tag="autumn", action="block")
    budgets.make(acme, "44", name="not in force", action="block", active=False)
    assert left_for(alice) == []
    budgets.make(acme, "100", name="alice's", person=alice, action="block")
    budgets.make(acme, "86.4", name="the team's", action="pause")
    assert left_for(alice) == [("the team's", "50 %", {"h100": "17.2", "l4": "86.4"})]  # how much money is not hers to know


def test_budget_of_a_class_binds_that_class_alone(client: Client, acme: Tenant, alice: User, spent: Instance) -> None:
    budgets.make(acme, "53.20", name="big ones", gpu_class=spent.gpu_class, action="block")
    assert left_for(alice) == [("big ones", "19 %", {"h100": "4.0"})]
    budgets.make(acme, "100", name="alice's", person=alice, action="block")
    assert left_for(alice) == [("alice's", "USD 56.80", {"h100": "4.0", "l4": "113"})]
    assert "(as “big ones” says)" in page(client, alice, ADDRESS)


def test_project_is_told_where_it_leaves_less(client: Client, acme: Tenant, alice: User, spent: Instance) -> None:
    Instance.objects.update(tag="Spring")
    budgets.make(acme, "100", name="alice's", person=alice, action="block")
    budgets.make(acme, "500", name="plenty", tag="spring", action="block")
    assert [name for name, *_rest in left_for(alice)] == ["alice's"]
    budgets.make(acme, "5", name="campaign", tag="spring", action="block")
    assert left_for(alice)[1:] == [("campaign", "100 %", {"h100": "2.0", "l4": "10.0"})]
    assert "Left of “campaign”, for the project spring" in page(client, alice, ADDRESS)


def test_where_nothing_is_on_offer_there_are_no_hours_to_tell(client: Client, acme: Tenant, alice: User, spent: Instance) -> None:
    budgets.make(acme, "100", name="alice's", person=alice, action="block")
    Capacity.objects.update(slots=0)
    assert left_for(alice) == [("alice's", "USD 56.80", {})]
    html = page(client, alice, ADDRESS)
    assert 'title="USD 56.80">USD 56.80' in html
    assert "no engine can start on it" not in html


def test_who_may_not_launch_reads_of_no_hours(client: Client, acme: Tenant, alice: User, spent: Instance) -> None:
    budgets.make(acme, "100", name="alice's", person=alice, action="block")
    Membership.objects.filter(user=alice).update(role="viewer")
    assert "Left of" not in page(client, alice, ADDRESS)


@pytest.mark.parametrize(
    ("amount", "hours", "sentence"),
    [
        ("43.20", {}, "It is used up: no engine can start on it."),
        ("40", {}, "It begins anew after 2026-03-31"),
        ("43.60", {}, "What is left does not pay for another hour on any GPU"),
        ("45.60", {"l4": "4.8"}, '<strong class="num">4.8 h</strong> of L4'),
    ],
)
@pytest.mark.usefixtures("spent")
def test_what_admission_would_refuse_has_no_hours(
    client: Client, acme: Tenant, alice: User, amount: str, hours: dict[str, str], sentence: str
) -> None:
    budgets.make(acme, amount, name="alice's", person=alice, action="block")
    [(_name, _left, found)] = left_for(alice)
    assert found == hours
    assert sentence in page(client, alice, ADDRESS)


def test_what_runs_is_told_and_leaves_room_or_not(
    client: Client, acme: Tenant, alice: User, spent: Instance, make_running: Callable[..., Instance]
) -> None:
    make_running(name="second", desired_state=DesiredState.RUNNING)
    budgets.make(acme, "46.20", name="alice's", person=alice, action="block")
    assert left_for(alice) == [("alice's", "USD 3.00", {"l4": "6.0"})]  # an hour of two H100 would be 5.00
    assert "What runs and is stored now takes USD 2.50 of it an hour." in page(client, alice, ADDRESS)


def stored(volume: Volume) -> None:
    Volume.objects.filter(pk=volume.pk).update(size_gib=100, provisioned_at=BEGINNING)
    volume.refresh_from_db()
    note_volume(volume, VolumeFact.Kind.PROVISIONED, at=moment("2026-03-01T00:00:00"))


def test_data_of_paused_engines_has_its_price_a_day(
    client: Client, acme: Tenant, alice: User, anna: User, spent: Instance, make_running: Callable[..., Instance]
) -> None:
    paused = {"state": InstanceState.STOPPED, "desired_state": DesiredState.STOPPED}
    running = make_running(name="at work", desired_state=DesiredState.RUNNING)
    coming = make_running(name="on its way", state=InstanceState.STOPPED, desired_state=DesiredState.RUNNING)
    foreign = make_running(name="not hers", owner=anna, **paused)
    trashed = make_running(name="thrown away", **paused)
    deleted = make_running(name="gone", state=InstanceState.DELETED, desired_state=DesiredState.DELETED, deleted_at=NOW)
    for each in (spent, running, coming, foreign, trashed, deleted):
        stored(each.volume)
    Volume.objects.filter(pk=trashed.volume_id).update(state=Volume.State.TRASHED, purge_at=NOW)
    settle_due(now=NOW)
    assert "Data of engines that are paused" not in page(client, alice, ADDRESS)  # it costs nothing
    set_storage_price(per_hour=Decimal("0.000137"), starts_at=BEGINNING)
    html = page(client, alice, ADDRESS)
    assert 'title="USD 0.6576">USD 0.66 a day' in html  # twice 100 GiB × 0.000137 × 24
    disks = html.partition('<ul class="disks')[2].partition("</ul>")[0]
    assert disks.count('title="USD 0.3288">USD 0.33') == 2
    assert f'<a href="/acme/instances/{spent.slug}/">poster</a>' in disks
    assert f'<a href="/acme/data/">{deleted.volume.name}</a>' in disks
    for other in ("at work", "on its way", "not hers", "thrown away", "gone"):
        assert other not in disks


def test_only_who_sees_their_own_alone_and_of_this_month(
    client: Client, acme: Tenant, alice: User, anna: User, spent: Instance
) -> None:
    budgets.make(acme, "100", name="everything", action="block")
    assert "Left of" in page(client, alice, ADDRESS)
    assert "Left of" not in page(client, anna, ADDRESS)
    for query in ("?window=lastmonth", "?gpu_class=h100", "?corrections=1"):
        assert "Left of" not in page(client, alice, f"{ADDRESS}{query}")


def test_queries_do_not_grow_with_data_and_classes(client: Client, acme: Tenant, alice: User, spent: Instance) -> None:
    set_storage_price(per_hour=Decimal("0.000137"), starts_at=BEGINNING)
    budgets.make(acme, "100", name="alice's", person=alice, action="block")
    client.force_login(alice)

    def count() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(ADDRESS)
        return sum("billing_" in each["sql"] or "engines_" in each["sql"] for each in captured)

    stored(spent.volume)
    settle_due(now=NOW)
    count()
    before = count()
    for number in range(3):
        volume = factories.make_volume(acme, alice, spent.cluster)
        stored(volume)
        gpu_class = factories.make_gpu_class(f"class-{number}")
        set_price(gpu_class=gpu_class, per_hour=Decimal(1), starts_at=BEGINNING)
        Capacity.objects.create(cluster=spent.cluster, gpu_class=gpu_class, slots=1)
    settle_due(now=NOW)
    assert (before, count()) == (39, 39)
