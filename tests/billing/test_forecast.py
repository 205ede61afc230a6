"""The forecast of real books: what is posted, what lasts, and whose it is."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import Q

from billing.accounts import calendar_of
from billing.allocation import Asked, allocate
from billing.forecast import forecast
from billing.manual import add_credit
from billing.models import Charge
from billing.operations import set_storage_price, settle_due
from billing.queries import visible_to
from billing.spans import span_at
from billing.windows import parse
from engines.models import Instance, VolumeFact
from engines.volume_facts import note_volume
from tenants.models import Membership, Tenant
from tests.billing.facts import BEGINNING, moment, record

NOW = moment("2026-03-19T12:00:00")


def run(instance: Instance, day: int, hours: int, *, month: int = 3) -> None:
    start = moment(f"2026-{month:02}-{day:02}T01:00:00")
    record(instance, "ready", start, run_id=f"{month}-{day}")
    record(instance, "ended", start + timedelta(hours=hours), run_id=f"{month}-{day}")


@pytest.fixture
def books(instance: Instance) -> Instance:
    """Two hours on each of the last two Fridays, one on the last Thursday; now a run that lasts since half past eleven."""
    for day, hours in ((6, 2), (13, 2), (12, 1)):
        run(instance, day, hours)
    record(instance, "ready", NOW - timedelta(minutes=30), run_id="now")
    settle_due(now=NOW)
    return instance


def test_every_figure(books: Instance, acme: Tenant) -> None:
    found = forecast(Q(tenant=acme), calendar_of(acme), NOW)
    assert (str(found.posted), str(found.estimated), str(found.spent)) == ("USD 12.50", "USD 1.25", "USD 13.75")
    assert found.per_hour.amount == Decimal("2.5")
    # Known days: Friday 6 to Wednesday 18. Fridays cost 5, Thursdays 2.50: half of today, two Fridays, a Thursday are to come.
    assert found.likely.amount == Decimal("13.75") + Decimal("1.25") + 2 * 5 + Decimal("2.5")
    assert found.high.amount == Decimal("13.75") + 300 * Decimal("2.5")
    assert found.low.amount == Decimal("13.75")
    assert found.run_rate.amount == Decimal("23.040540541")


def test_spent_is_what_allocation_says(books: Instance, acme: Tenant) -> None:
    add_credit(tenant=acme, amount=Decimal(3), reason="sorry", now=NOW)
    calendar = calendar_of(acme)
    found = forecast(Q(tenant=acme), calendar, NOW)
    [part] = allocate(Q(tenant=acme), Asked(parse("month", calendar, NOW)), calendar, live_at=NOW)
    assert found.posted.amount == part.allocations[0].amount == Decimal("9.5")
    assert found.estimated.amount == part.allocations[0].estimated
    assert found.likely.amount == Decimal("24.5")  # nobody says sorry every week


def test_earlier_use_makes_days_without_use_known(books: Instance, acme: Tenant) -> None:
    run(books, 10, 1, month=1)
    settle_due(now=NOW)
    found = forecast(Q(tenant=acme), calendar_of(acme), NOW)
    # Fridays 20 and 27 of February are known now: the median of 0, 0, 5, 5 is 2.50; that of Thursdays 0, 0, 0, 2.50 is nothing.
    assert found.likely.amount == Decimal("13.75") + 2 * Decimal("2.5")


def test_storage_goes_on_when_nothing_runs(instance: Instance, acme: Tenant) -> None:
    set_storage_price(per_hour=Decimal("0.001"), starts_at=BEGINNING)
    note_volume(instance.volume, VolumeFact.Kind.PROVISIONED, at=NOW - timedelta(hours=2))
    settle_due(now=NOW)
    found = forecast(Q(tenant=acme), calendar_of(acme), NOW)
    assert (found.posted.amount, found.estimated.amount, found.per_hour.amount) == (0, Decimal("0.1"), Decimal("0.05"))
    assert found.low == found.likely == found.high
    assert found.low.amount == Decimal("15.1")


def test_each_sees_their_own(
    books: Instance, acme: Tenant, anna_in_acme: Membership, alice_in_acme: Membership, bolt: Tenant
) -> None:
    calendar = calendar_of(acme)
    assert forecast(visible_to(alice_in_acme), calendar, NOW) == forecast(visible_to(anna_in_acme), calendar, NOW)
    for scope in (Q(tenant=acme, owner=anna_in_acme.user_id), Q(tenant=bolt), Q(tenant=acme, tag="Spring")):
        nothing = forecast(scope, calendar, NOW)
        assert not any((nothing.spent, nothing.per_hour, nothing.low, nothing.likely, nothing.high, nothing.run_rate))


def test_a_day_and_a_quarter(books: Instance, acme: Tenant) -> None:
    calendar = calendar_of(acme)
    day = forecast(Q(tenant=acme), calendar, NOW, span=span_at(calendar, "day", NOW))
    assert (day.spent.amount, day.likely.amount, day.high.amount) == (Decimal("1.25"), Decimal("2.5"), Decimal("31.25"))
    quarter = forecast(Q(tenant=acme), calendar, NOW, span=span_at(calendar, "quarter", NOW))
    assert quarter.spent.amount == Decimal("13.75")


def test_it_takes_as_many_queries_whatever_there_is(books: Instance, acme: Tenant, django_assert_num_queries) -> None:
    calendar = calendar_of(acme)
    for _ in range(2):
        with django_assert_num_queries(5):
            forecast(Q(tenant=acme), calendar, NOW)
        run(books, 2, 1)
        settle_due(now=NOW)
    assert Charge.objects.count() > 5
