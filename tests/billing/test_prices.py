"""Prices are effective-dated and keep their past."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from pytest_django import DjangoAssertNumQueries

from billing.errors import PriceRefused
from billing.models import Meter, Price, UsageInterval
from billing.money import Money
from billing.operations import set_price, set_terms, settle
from billing.pricing import seed_prices
from billing.queries import price_per_hour, prices_in_force
from engines.models import GpuClass, Instance
from tenants.models import Tenant, User
from tests import factories
from tests.billing.facts import BEGINNING, moment, record

MARCH, APRIL, MAY = moment("2026-03-01"), moment("2026-04-01"), moment("2026-05-01")


def spans(gpu_class: GpuClass, tenant: Tenant | None = None) -> list[tuple[str, object, object]]:
    prices = Price.objects.filter(gpu_class=gpu_class, tenant=tenant).order_by("pk")
    return [(f"{price.per_hour:.2f}", price.starts_at, price.ends_at) for price in prices]


def put(gpu_class: GpuClass, per_hour: str, starts_at: object, **fields: object) -> Price:
    return set_price(gpu_class=gpu_class, per_hour=Decimal(per_hour), starts_at=starts_at, **fields)


def test_new_price_ends_the_one_before(gpu_class: GpuClass, olga: User) -> None:
    put(gpu_class, "1", MARCH)
    price = put(gpu_class, "2", APRIL.replace(microsecond=5), by=olga)
    assert spans(gpu_class) == [("1.00", MARCH, APRIL), ("2.00", APRIL, None)]
    assert (price.created_by, price.currency, str(price)) == (olga, "USD", "cpu-small: USD 2.00")


def test_price_lasts_until_the_next_that_is_already_set(gpu_class: GpuClass) -> None:
    put(gpu_class, "3", MAY)
    put(gpu_class, "1", MARCH)
    put(gpu_class, "2", APRIL)
    assert spans(gpu_class) == [("3.00", MAY, None), ("1.00", MARCH, APRIL), ("2.00", APRIL, MAY)]


def test_price_set_twice_for_one_moment_replaces_the_first(gpu_class: GpuClass) -> None:
    put(gpu_class, "25", MARCH)
    put(gpu_class, "2.5", MARCH)
    put(gpu_class, "3", MARCH)
    assert spans(gpu_class) == [("25.00", MARCH, MARCH), ("2.50", MARCH, MARCH), ("3.00", MARCH, None)]


def test_same_price_again_changes_nothing(gpu_class: GpuClass) -> None:
    assert put(gpu_class, "1", MARCH) == put(gpu_class, "1.0", APRIL)
    assert spans(gpu_class) == [("1.00", MARCH, None)]


def test_tenant_s_own_price_stands_beside_the_list(gpu_class: GpuClass, acme: Tenant, bolt: Tenant) -> None:
    put(gpu_class, "3", MARCH)
    put(gpu_class, "2", APRIL, tenant=acme)
    assert spans(gpu_class) == [("3.00", MARCH, None)]
    assert [str(price_per_hour(tenant, gpu_class, at=APRIL)) for tenant in (acme, bolt)] == ["USD 2.00", "USD 3.00"]
    assert str(price_per_hour(acme, gpu_class, at=MARCH)) == "USD 3.00"
    assert price_per_hour(acme, gpu_class, at=BEGINNING) is None


def test_prices_in_force_are_two_queries(
    gpu_class: GpuClass, acme: Tenant, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    other = factories.make_gpu_class("other")
    put(gpu_class, "3", MARCH)
    put(other, "1", MARCH)
    with django_assert_num_queries(2):
        prices = prices_in_force(acme, at=APRIL)
    assert {pk: str(price) for pk, price in prices.items()} == {gpu_class.pk: "USD 3.00", other.pk: "USD 1.00"}


@pytest.mark.parametrize("per_hour", ["-1", "NaN", "Infinity", "0.0000000001", "1000000000"])
def test_senseless_price_is_refused(gpu_class: GpuClass, per_hour: str) -> None:
    with pytest.raises(PriceRefused):
        put(gpu_class, per_hour, MARCH)
    assert not Price.objects.exists()


def test_prices_of_two_currencies_stand_side_by_side(gpu_class: GpuClass, acme: Tenant, bolt: Tenant) -> None:
    set_terms(tenant=bolt, now=MARCH, currency="EUR")
    put(gpu_class, "1", MARCH)
    set_price(gpu_class=gpu_class, per_hour=Money(Decimal(2), "EUR"), starts_at=MARCH)
    put(gpu_class, "3", MAY, tenant=bolt)
    assert [str(prices_in_force(tenant, at=at)[gpu_class.pk]) for tenant in (acme, bolt) for at in (APRIL, MAY)] == [
        *("USD 1.00", "USD 1.00"),
        *("EUR 2.00", "EUR 3.00"),
    ]


def test_database_refuses_two_prices_at_a_time(gpu_class: GpuClass, acme: Tenant) -> None:
    same = {"gpu_class": gpu_class, "currency": "USD", "per_hour": 1}
    for tenant in (None, acme):
        Price.objects.create(starts_at=MARCH, ends_at=MAY, tenant=tenant, **same)
        with pytest.raises(IntegrityError, match="one_price_at_a_time"), transaction.atomic():
            Price.objects.create(starts_at=APRIL, tenant=tenant, **same)
    assert Price.objects.count() == 2


@pytest.mark.parametrize("change", [{"per_hour": 2}, {"starts_at": APRIL}, {"ends_at": None}, {"currency": "EUR"}])
def test_database_keeps_the_past_of_a_price(gpu_class: GpuClass, change: dict[str, object]) -> None:
    put(gpu_class, "1", MARCH)
    put(gpu_class, "2", MAY)
    first = Price.objects.filter(per_hour=1)
    with pytest.raises(IntegrityError, match="may only be made to end earlier"), transaction.atomic():
        first.update(**change)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        first.delete()
    assert spans(gpu_class) == [("1.00", MARCH, MAY), ("2.00", MAY, None)]


def test_price_marks_those_who_used_the_class_since(instance: Instance, h100: GpuClass, acme: Tenant, bolt: Tenant) -> None:
    record(instance, "ready", moment("2026-03-10T10:00:00"))
    record(instance, "ended", moment("2026-03-10T11:00:00"))
    settle(instance.pk, now=APRIL)
    marks = []
    for tenant, starts_at in ((None, APRIL), (bolt, MARCH), (acme, MARCH), (None, moment("2026-03-10T10:30:00"))):
        put(h100, "2", starts_at, tenant=tenant)
        marks.append(Meter.objects.get().dirty_from)
    assert marks == [None, None, MARCH, MARCH]
    assert UsageInterval.objects.count() == 1


def test_seeding_gives_a_first_price_and_leaves_others_alone(gpu_class: GpuClass, acme: Tenant) -> None:
    priced, own_only = factories.make_gpu_class("priced"), factories.make_gpu_class("own-only")
    put(priced, "1", MARCH)
    put(own_only, "1", MARCH, tenant=acme)
    seeds = {gpu_class.slug: Decimal("0.36"), "priced": Decimal(9), "own-only": Decimal(5), "unknown": Decimal(9)}
    assert len(seed_prices(seeds, starts_at=APRIL)) == 2
    assert seed_prices(seeds, starts_at=MAY) == []
    assert spans(gpu_class) == [("0.36", APRIL, None)]
    assert spans(priced) == [("1.00", MARCH, None)]
    assert spans(own_only) == [("5.00", APRIL, None)]
