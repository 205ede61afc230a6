"""What costs come to by window, step, dimension and filter; and that all ways to add them up agree."""

from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal

import pytest
from django.db.models import Q, Sum
from pytest_django import DjangoAssertNumQueries

from billing.accounts import calendar_of, posted_to
from billing.allocation import Asked, Part, SeveralCurrencies, allocate, charges
from billing.dimensions import read_filter
from billing.money import Money
from billing.operations import add_credit, set_price, set_storage_price, set_terms, settle, settle_due
from billing.windows import Window
from engines.models import GpuClass, Instance, VolumeFact
from engines.volume_facts import note_volume
from tenants.models import Tenant, User
from tests.billing.facts import BEGINNING, moment, record

NOW = moment("2026-03-10T12:20:30")
MARCH = Window(date(2026, 3, 1), date(2026, 3, 31))
TWO_MONTHS = Window(date(2026, 2, 1), date(2026, 3, 31))
DAYS = Window(date(2026, 2, 27), date(2026, 3, 10))


@pytest.fixture
def books(make_running: Callable[..., Instance], acme: Tenant, bolt: Tenant, bob: User, anna: User) -> None:
    """acme: alice's poster, 20 min on 28 February and since 10:00; anna's flyer, 10 min, tagged; a credit. bolt: an hour."""
    poster = make_running(name="poster")
    record(poster, "ready", moment("2026-02-28T08:00:00"), run_id="first")
    record(poster, "ended", moment("2026-02-28T08:20:00"), run_id="first")
    record(poster, "ready", moment("2026-03-10T10:00:00"), run_id="second")
    flyer = make_running(name="flyer", owner=anna, tag="spring")
    record(flyer, "ready", moment("2026-03-09T09:00:00"), tag="spring")
    record(flyer, "ended", moment("2026-03-09T09:10:00"), tag="spring")
    other = make_running(name="other", tenant=bolt, owner=bob)
    record(other, "ready", moment("2026-03-09T09:00:00"))
    record(other, "ended", moment("2026-03-09T10:00:00"))
    for each in (poster, flyer, other):
        settle(each.pk, now=NOW)
    add_credit(tenant=acme, amount=Decimal("1.50"), reason="Outage", now=NOW)


def ask(tenant: Tenant, window: Window = MARCH, *, wanted: str = "", live: bool = False, **fields: object) -> list[Part]:
    asked = Asked(window, conditions=read_filter(wanted), **fields)
    return allocate(Q(tenant=tenant.pk), asked, calendar_of(tenant), live_at=NOW if live else None)


def rows(parts: Iterable[Part]) -> list[tuple[str, str, str]]:
    """First day, key and amount of each."""
    return [(str(part.window.first), "/".join(each.key), str(each.amount)) for part in parts for each in part.allocations]


def test_everything(books: None, acme: Tenant) -> None:
    assert rows(ask(acme)) == [("2026-03-01", "", "3.916666667")]  # 2 h and 10 min, less 1.50


def test_by_user_and_category(books: None, acme: Tenant) -> None:
    assert rows(ask(acme, by=("user", "charge_category"))) == [
        ("2026-03-01", "alice/gpu", "5.000000000"),
        ("2026-03-01", "anna/gpu", "0.416666667"),
        ("2026-03-01", "/credit", "-1.500000000"),
    ]


def test_category_before_user(books: None, acme: Tenant) -> None:
    (part,) = ask(acme, by=("charge_category", "user"))
    assert [each.key for each in part.allocations] == [("gpu", "alice"), ("gpu", "anna"), ("credit", "")]


@pytest.mark.parametrize(
    ("window", "step", "amounts"),
    [
        (TWO_MONTHS, "1mo", ["2026-02-01 0.833333333", "2026-03-01 3.916666667"]),
        (DAYS, "1mo", ["2026-02-27 0.833333333", "2026-03-01 3.916666667"]),
        (DAYS, "1w", ["2026-02-27 0.833333333", "2026-03-06 3.916666667"]),
        (DAYS, "1d", ["2026-02-28 0.833333333", "2026-03-09 0.416666667", "2026-03-10 3.500000000"]),
    ],
)
def test_steps(books: None, acme: Tenant, window: Window, step: str, amounts: list[str]) -> None:
    assert [f"{first} {amount}" for first, _key, amount in rows(ask(acme, window, step=step))] == amounts


def test_parts_without_costs_are_there(books: None, acme: Tenant) -> None:
    parts = ask(acme, DAYS, step="1d")
    assert [len(part.allocations) for part in parts] == [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("wanted", "amount"),
    [
        ('user:"alice"', "5.000000000"),
        ('user:"alice","anna"', "5.416666667"),
        ('user!:"alice"', "-1.083333333"),  # anna's, and the credit, which is nobody's
        ('user:""', "-1.500000000"),
        ('user!:""', "5.416666667"),
        ('user~:"ANN"', "0.416666667"),
        ('tag:"spring"', "0.416666667"),
        ('tag!:"spring"', "3.500000000"),
        ('charge_category:"gpu"+tag:""', "5.000000000"),
        ('gpu_class:"h100"', "5.416666667"),
        ('engine:"double"', "5.416666667"),
        ('engine:"","double"', "3.916666667"),
    ],
)
def test_filters(books: None, acme: Tenant, wanted: str, amount: str) -> None:
    assert [found for _first, _key, found in rows(ask(acme, wanted=wanted))] == [amount]


def test_nothing_fits(books: None, acme: Tenant) -> None:
    assert rows(ask(acme, wanted='tenant:"bolt"')) == []


@pytest.mark.parametrize(
    "by", [(), ("user",), ("instance",), ("engine", "tag"), ("gpu_class",), ("charge_category",), ("tenant",)]
)
@pytest.mark.parametrize("window", [MARCH, TWO_MONTHS, DAYS])
@pytest.mark.parametrize("wanted", ["", 'user:"alice"', 'instance!:""'])
def test_every_way_to_add_up_agrees(books: None, acme: Tenant, by: tuple[str, ...], window: Window, wanted: str) -> None:
    asked = Asked(window, by=by, conditions=read_filter(wanted))
    scope, calendar = Q(tenant=acme.pk), calendar_of(acme)
    from_sums = allocate(scope, asked, calendar)
    assert allocate(scope, asked, calendar, as_of=posted_to(acme.pk)) == from_sums
    of_lines = charges(scope, asked, calendar).aggregate(total=Sum("amount"), listed=Sum("list_amount"))
    found = [each for part in from_sums for each in part.allocations]
    assert sum(each.amount for each in found) == of_lines["total"]
    assert sum(each.list_amount for each in found) == of_lines["listed"]


def test_hours_and_list_price(books: None, acme: Tenant, h100: GpuClass) -> None:
    set_price(gpu_class=h100, tenant=acme, per_hour=Decimal("2.00"), list_per_hour=Decimal("2.50"), starts_at=BEGINNING)
    settle_due(now=NOW)
    (part,) = ask(acme, wanted='user:"alice"')
    (found,) = part.allocations
    assert (str(found.of("gpu").unit_hours), found.of("storage").milli_unit_seconds) == ("2.000000000000", 0)
    assert (found.amount, found.list_amount, found.money) == (Decimal(4), Decimal(5), Money(Decimal(4), "USD"))


def test_estimates_stand_beside(books: None, acme: Tenant) -> None:
    (part,) = ask(acme, by=("instance", "charge_category"), wanted='user:"alice"', live=True)
    (found,) = part.allocations
    assert (str(found.amount), str(found.estimated), str(found.list_estimated)) == ("5.000000000", "0.854166667", "0.854166667")


def test_estimates_alone(books: None, acme: Tenant) -> None:
    """Of what nothing is in the books yet, there is a row all the same."""
    poster = Instance.objects.get(name="poster")
    late = moment("2026-03-10T12:00:00")
    record(poster, "ended", late, run_id="second")
    settle(poster.pk, now=NOW)
    record(poster, "ready", moment("2026-03-10T12:10:00"), run_id="third")
    settle(poster.pk, now=NOW)
    parts = ask(acme, Window(date(2026, 3, 10), date(2026, 3, 10)), by=("engine",), live=True)
    assert [(each.key, str(each.estimated)) for each in parts[0].allocations] == [(("double",), "0.437500000"), (("",), "0")]


def test_as_of_the_past(books: None, acme: Tenant) -> None:
    then = posted_to(acme.pk)
    settle_due(now=moment("2026-03-10T14:20:00"))
    scope, calendar, asked = Q(tenant=acme.pk), calendar_of(acme), Asked(MARCH)
    assert rows(allocate(scope, asked, calendar)) == [("2026-03-01", "", "8.916666667")]
    assert rows(allocate(scope, asked, calendar, as_of=then)) == [("2026-03-01", "", "3.916666667")]


def test_large_volumes_do_not_overflow(acme: Tenant, make_running: Callable[..., Instance]) -> None:
    poster = make_running(name="poster")
    set_storage_price(per_hour=Decimal("0.01"), starts_at=BEGINNING)
    note_volume(poster.volume, VolumeFact.Kind.PROVISIONED, at=moment("2026-03-01T00:00:00"))
    settle_due(now=NOW)
    scope, calendar, asked = Q(tenant=acme.pk), calendar_of(acme), Asked(MARCH, by=("volume",))
    found = allocate(scope, asked, calendar, as_of=posted_to(acme.pk))
    assert found == allocate(scope, asked, calendar)
    (of_volume,) = found[0].allocations
    assert of_volume.of("storage").milli_unit_seconds == 9 * 86_400 * 1000 * poster.volume.size_gib


def test_currencies_do_not_add_up(books: None, acme: Tenant, h100: GpuClass) -> None:
    set_terms(tenant=acme, now=NOW, currency="EUR")
    set_price(gpu_class=h100, per_hour=Money(Decimal("2.00"), "EUR"), starts_at=BEGINNING)
    april = moment("2026-04-02T00:30:00")
    settle_due(now=april)
    window = Window(date(2026, 3, 1), date(2026, 4, 30))
    with pytest.raises(SeveralCurrencies) as refused:
        ask(acme, window, by=("user",))
    assert refused.value.currencies == ["EUR", "USD"]
    assert rows(ask(acme, window, step="1mo", currency="EUR")) == [("2026-04-01", "", "48.000000000")]


@pytest.mark.parametrize(("live", "queries"), [(False, 1), (True, 4)])
def test_queries_do_not_grow(
    books: None, acme: Tenant, django_assert_num_queries: DjangoAssertNumQueries, live: bool, queries: int
) -> None:
    calendar, asked = calendar_of(acme), Asked(DAYS, by=("tenant", "engine", "user", "instance"), step="1d")
    with django_assert_num_queries(queries):
        allocate(Q(tenant=acme.pk), asked, calendar, live_at=NOW if live else None)


def test_months_are_read_where_they_suffice() -> None:
    assert Asked(TWO_MONTHS, by=("user",), step="1mo").is_of_months
    assert not Asked(DAYS, by=("user",)).is_of_months
    assert not Asked(MARCH, by=("instance",)).is_of_months
    assert not Asked(MARCH, conditions=read_filter('engine:"x"')).is_of_months
    assert not Asked(MARCH, step="1w").is_of_months
