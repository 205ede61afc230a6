"""What a launch would cost is said before it is made."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client

from billing.manual import add_adjustment
from billing.operations import set_price, set_storage_price
from billing.queries import price_per_hour
from billing.quoting import Planned, quote
from engines.models import Cluster, Engine, GpuClass, IdleRule, Instance, Volume
from tenants.models import Membership, Tenant, User
from tests.billing.budgets import make, spend
from tests.billing.facts import BEGINNING, moment

NOW = moment("2026-03-19T12:00:00")


@pytest.fixture
def planned(instance: Instance, h100: GpuClass) -> Planned:
    """An H100 with 100 GiB of new data, for an engine of which one instance is there."""
    Instance.objects.update(state="stopped", desired_state="stopped")
    return Planned(Engine.objects.get(), h100, size_gib=100)


def test_the_price_is_the_tenants_own_of_the_share_that_is_billed(
    planned: Planned, acme: Tenant, h100: GpuClass, alice_in_acme: Membership
) -> None:
    assert str(quote(alice_in_acme, planned, now=NOW).per_hour) == "USD 2.50"
    set_price(gpu_class=h100, per_hour=Decimal(2), starts_at=BEGINNING, tenant=acme)
    h100.billed_milli = 250
    h100.save()
    assert str(quote(alice_in_acme, planned, now=NOW).per_hour) == "USD 0.50"
    assert str(price_per_hour(acme, h100, at=NOW)) == "USD 0.50"


def test_data_costs_by_the_day_by_its_own_class(planned: Planned, alice_in_acme: Membership) -> None:
    assert quote(alice_in_acme, planned, now=NOW).stored_per_day is None
    set_storage_price(per_hour=Decimal("0.001"), starts_at=BEGINNING)
    set_storage_price(per_hour=Decimal("0.002"), starts_at=BEGINNING, storage_class="fast")
    assert str(quote(alice_in_acme, planned, now=NOW).stored_per_day) == "USD 2.40"
    Cluster.objects.update(config={"storage_class": "fast"})
    assert str(quote(alice_in_acme, planned, now=NOW).stored_per_day) == "USD 4.80"
    kept = Planned(planned.engine, planned.gpu_class, volume=Volume.objects.get())  # of 50 GiB
    assert str(quote(alice_in_acme, kept, now=NOW).stored_per_day) == "USD 2.40"


def test_left_alone_it_is_paused_by_its_rule(planned: Planned, alice_in_acme: Membership) -> None:
    found = quote(alice_in_acme, planned, now=NOW).left_alone
    assert found is not None
    assert (found.seconds, str(found.cost)) == (1800, "USD 1.25")  # ten minutes of warm-up and twenty of idleness
    rule = IdleRule.objects.create(name="short", idle_minutes=5, warm_up_minutes=1, minimum_run_minutes=12)
    found = quote(alice_in_acme, planned, now=NOW).left_alone
    assert found is not None
    assert (found.seconds, str(found.cost)) == (720, "USD 0.50")
    IdleRule.objects.filter(pk=rule.pk).update(exempt=True)
    assert quote(alice_in_acme, planned, now=NOW).left_alone is None


def test_a_usual_session_is_the_median_of_those_that_are_over(
    planned: Planned, instance: Instance, alice_in_acme: Membership
) -> None:
    for number, hours in enumerate((1, 9, 2)):
        assert quote(alice_in_acme, planned, now=NOW).usual is None
        spend(instance, hours, end=NOW - timedelta(days=number), run_id=str(number))
    found = quote(alice_in_acme, planned, now=NOW).usual
    assert found is not None
    assert (found.seconds, str(found.cost)) == (7200, "USD 5.00")


def test_the_tightest_budget_says_for_how_long_it_lasts(planned: Planned, acme: Tenant, alice_in_acme: Membership) -> None:
    assert quote(alice_in_acme, planned, now=NOW).headroom is None
    make(acme, "1000", action="block", name="wide")
    make(acme, "1", name="tells only")
    make(acme, "100", action="block", name="narrow")
    add_adjustment(tenant=acme, amount=Decimal("43.25"), reason="test", now=NOW)
    found = quote(alice_in_acme, planned, now=NOW).headroom
    assert found is not None
    assert (found.name, str(found.hours), found.refusal) == ("narrow", "22.7", "")
    add_adjustment(tenant=acme, amount=Decimal(56), reason="test", now=NOW)
    found = quote(alice_in_acme, planned, now=NOW).headroom
    assert found is not None
    assert (found.name, str(found.hours)) == ("narrow", "0.3")
    assert "99 % of it is spent" in found.refusal


@pytest.mark.usefixtures("planned")
def test_the_launch_page_says_all_of_it(acme: Tenant, alice: User, client: Client) -> None:
    set_storage_price(per_hour=Decimal("0.001"), starts_at=BEGINNING)
    make(acme, "100", action="block", name="Film", tag="Spring")
    client.force_login(alice)
    page = " ".join(client.get("/acme/launch/?tag=Spring&size_gib=100").content.decode().split())
    assert "USD 2.40</span> per day, also while it is paused" in page
    assert "paused after 30 min: about USD 1.25" in page
    assert "“Film” lasts for 40.0 h with it" in page
    assert "“Film”" not in client.get("/acme/launch/?tag=Autumn").content.decode()
