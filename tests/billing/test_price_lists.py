"""Every price with its history, and a month at another price."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db.models import Q
from django.test import Client
from django.urls import reverse

from billing.models import Charge
from billing.operations import set_price, set_storage_price, settle
from billing.periods import Month
from billing.price_lists import Phase, price_lists, what_if
from engines.models import GpuClass, Instance
from tenants.models import Tenant, User
from tests import factories
from tests.billing.facts import moment, record

PAGE = reverse("admin:billing_price_lists")
NOW = moment("2026-04-10T12:00")
MARCH = Month(2026, 3)


@pytest.fixture(autouse=True)
def _at_now() -> object:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def poster(instance: Instance) -> Instance:
    """Ran for 90 minutes in March, at USD 2.50."""
    record(instance, "ready", moment("2026-03-10T10:00"))
    record(instance, "ended", moment("2026-03-10T11:30"))
    settle(instance.pk, now=NOW)
    return instance


def test_history_says_what_held_holds_and_will_hold(h100: GpuClass, acme: Tenant, olga: User) -> None:
    for per_hour, days in (("3.00", -1), ("3.50", 5), ("4", 5)):
        set_price(gpu_class=h100, per_hour=Decimal(per_hour), starts_at=NOW + timedelta(days=days), by=olga)
    set_price(gpu_class=h100, per_hour=Decimal(2), list_per_hour=Decimal(3), starts_at=NOW, tenant=acme)
    set_storage_price(per_hour=Decimal("0.000137"), starts_at=NOW)
    everybody, own, storage = price_lists(Q(), now=NOW)
    assert [(each.price.money.exact, each.phase, each.price.created_by) for each in everybody.entries] == [
        ("USD 4.00", Phase.COMING, olga),
        ("USD 3.50", Phase.NEVER, olga),
        ("USD 3.00", Phase.IN_FORCE, olga),
        ("USD 2.50", Phase.OVER, None),
    ]
    assert (own.tenant, own.gpu_class) == (acme, h100)
    assert own.in_force is not None
    assert own.in_force.listed is not None
    assert own.in_force.listed.exact == "USD 3.00"
    assert (storage.gpu_class, storage.in_force and storage.in_force.price.money.exact) == (None, "USD 0.000137")


def test_what_a_month_would_have_come_to(
    poster: Instance, make_running: Callable[..., Instance], h100: GpuClass, acme: Tenant, bolt: Tenant
) -> None:
    owner = factories.make_user("ben")
    factories.join(owner, bolt)
    set_price(gpu_class=h100, per_hour=Decimal(2), starts_at=moment("2026-01-01"), tenant=bolt)
    flyer = make_running(tenant=bolt, owner=owner)
    record(flyer, "ready", moment("2026-03-11T10:00"))
    record(flyer, "ended", moment("2026-03-11T11:00"))
    settle(flyer.pk, now=NOW)
    before = list(Charge.objects.values_list())
    [row] = what_if(h100, Decimal(3), MARCH, tenant=None, currency="USD")
    assert (row.tenant, row.unit_hours) == (acme, Decimal("1.50"))
    assert [each.exact for each in (row.charged, row.listed, row.supposed, row.difference)] == [
        *("USD 3.75", "USD 3.75", "USD 4.50", "USD 0.75")
    ]
    [own] = what_if(h100, Decimal(3), MARCH, tenant=bolt, currency="USD")
    assert [each.exact for each in (own.charged, own.listed, own.supposed)] == ["USD 2.00", "USD 2.50", "USD 3.00"]
    assert what_if(h100, Decimal(3), MARCH.following, tenant=None, currency="USD") == []
    assert what_if(h100, Decimal(3), MARCH, tenant=None, currency="EUR") == []
    assert list(Charge.objects.values_list()) == before


def test_operators_see_both(poster: Instance, client: Client, olga: User, h100: GpuClass, acme: Tenant) -> None:
    client.force_login(olga)
    html = client.get(PAGE).content.decode()
    assert "in force" in html
    assert "What if: H100" not in html
    asked = {"gpu_class": h100.pk, "tenant": "", "per_hour": "3", "month": "2026-03"}
    html = client.get(PAGE, asked).content.decode()
    assert "What if: H100 in 2026-03 at USD 3.00 an hour" in html
    assert ">USD 4.50<" in html
    assert "Nothing of this class" in client.get(PAGE, asked | {"month": "2026-04"}).content.decode()
    assert ">USD 4.50<" in client.get(PAGE, asked | {"tenant": acme.pk}).content.decode()
    for wrong in ({"per_hour": "-1"}, {"month": "2026-13"}, {"gpu_class": "99999"}, {"per_hour": "NaN"}):
        page = client.get(PAGE, asked | wrong)
        assert (page.status_code, 'role="alert"' in page.content.decode()) == (200, True)


def test_histories_can_be_chosen(client: Client, olga: User, h100: GpuClass, acme: Tenant, bolt: Tenant) -> None:
    for tenant in (acme, bolt):
        set_price(gpu_class=h100, per_hour=Decimal(2), starts_at=NOW, tenant=tenant)
    client.force_login(olga)
    assert client.get(PAGE).content.decode().count("<section") == 4  # three histories, and what if
    assert client.get(PAGE, {"of_tenant": acme.pk}).content.decode().count("<section") == 3
    assert client.get(PAGE, {"of_class": h100.pk, "of_tenant": "x"}).status_code == 200


def test_rights(client: Client, h100: GpuClass) -> None:
    client.force_login(factories.make_operator("sam", "billing.view_charge"))
    assert client.get(PAGE).status_code == 403
    client.force_login(factories.make_operator("sara", "billing.view_price"))
    html = client.get(PAGE, {"gpu_class": h100.pk, "per_hour": "3", "month": "2026-03"}).content.decode()
    assert "What if" not in html
    assert reverse("admin:billing_price_add") not in html
