"""Operators see how far each month is, and close it for ever."""

import threading

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.urls import reverse

from billing.cockpit import Phase, standings
from billing.models import BillingPeriod, DayRollup
from billing.operations import settle
from engines.models import Instance
from tenants.audit.models import AuditEvent
from tenants.models import User
from tests import factories
from tests.billing.facts import moment, record

COCKPIT = reverse("admin:billing_billingperiod_cockpit")
LATER = moment("2026-04-05")


@pytest.fixture
def march(instance: Instance) -> BillingPeriod:
    record(instance, "ready", moment("2026-03-31T22:00:00"))
    record(instance, "ended", moment("2026-03-31T23:20:00"))
    settle(instance.pk, now=moment("2026-04-03"))
    return BillingPeriod.objects.get()


@pytest.fixture(autouse=True)
def _later() -> object:
    with time_machine.travel(LATER, tick=False):
        yield


@pytest.fixture
def closer(db: None, client: Client) -> User:
    user = factories.make_operator("cleo", "billing.view_billingperiod", "billing.close_billingperiod")
    client.force_login(user)
    return user


def address(period: BillingPeriod) -> str:
    return reverse("admin:billing_billingperiod_close", args=[period.pk])


def test_a_month_is_open_then_closing_then_closed(march: BillingPeriod, client: Client, closer: User) -> None:
    assert [each.phase for each in standings([march], now=moment("2026-03-31T23:59"))] == [Phase.OPEN]
    [early] = standings([march], now=moment("2026-04-01"))
    assert (early.phase, [each.code for each in early.blockers], early.is_closable) == (Phase.CLOSING, ["too_early"], False)
    [standing] = standings([march], now=LATER, verified=True)
    assert (standing.is_closable, standing.differences, standing.amount.exact) == (True, [], "USD 3.333333333")
    client.post(address(march))
    [closed] = standings(BillingPeriod.objects.filter(pk=march.pk), now=LATER)
    assert (closed.phase, closed.blockers, closed.differences) == (Phase.CLOSED, [], None)


def test_cockpit_shows_the_month_before(march: BillingPeriod, client: Client, closer: User) -> None:
    html = client.get(COCKPIT).content.decode()
    assert "Nothing: it can be closed." in html
    assert "not verified" in html
    assert address(march) in html
    assert ">right<" in client.get(COCKPIT + "?verify=1").content.decode()
    assert "No account has the month" not in html
    assert (
        "No account has the month “1999-01”: this is 2026-03." in client.get(COCKPIT + "?month=1999-01&page=9").content.decode()
    )


def test_closing_is_confirmed_and_recorded(march: BillingPeriod, client: Client, closer: User) -> None:
    assert "Close for ever" in client.get(address(march)).content.decode()
    assert BillingPeriod.objects.get().status == "open"
    answer = client.post(address(march), follow=True, REMOTE_ADDR="192.0.2.7")
    closed = BillingPeriod.objects.get()
    assert (closed.status, closed.closed_by, closed.money.exact) == ("closed", closer, "USD 3.33")
    assert closed.digest in answer.content.decode()
    event = AuditEvent.objects.get(kind="period.closed")
    assert (event.actor, event.tenant, event.subject_id, event.address) == (closer, march.tenant, "2026-03", "192.0.2.7")
    assert event.details == {"amount": "USD 3.33", "charges": 3, "digest": closed.digest}
    assert "Close for ever" not in client.get(address(march)).content.decode()


def test_what_keeps_it_open_is_said_and_nothing_happens(march: BillingPeriod, client: Client, closer: User) -> None:
    with time_machine.travel(moment("2026-04-03T23:00"), tick=False):
        page = client.get(address(march)).content.decode()
        assert "It stays open for 72 hours" in page
        assert "Close for ever" not in page
        refused = client.post(address(march), follow=True).content.decode()
    assert "was not closed: It stays open for 72 hours" in refused
    assert BillingPeriod.objects.get().status == "open"
    assert not AuditEvent.objects.filter(kind="period.closed").exists()


def test_books_that_are_wrong_are_shown(march: BillingPeriod, client: Client, closer: User) -> None:
    DayRollup.objects.update(seconds=1)
    assert "2 things are wrong" in client.get(COCKPIT + "?verify=1").content.decode()
    page = client.get(address(march)).content.decode()
    assert "days: tenant" in page
    assert "Close for ever" not in page
    assert "its books are not right" in client.post(address(march), follow=True).content.decode()
    assert BillingPeriod.objects.get().status == "open"


def test_the_second_to_close_is_told_so(march: BillingPeriod, client: Client, closer: User) -> None:
    client.post(address(march))
    assert "is closed already" in client.post(address(march), follow=True).content.decode()
    assert AuditEvent.objects.filter(kind="period.closed").count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_who_close_at_once(march: BillingPeriod, closer: User) -> None:
    told: list[str] = []

    def close() -> None:
        browser = Client()
        browser.force_login(closer)
        told.append(browser.post(address(march), follow=True).content.decode())
        connection.close()

    both = [threading.Thread(target=close) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert sorted("is closed already" in page for page in told) == [False, True]
    assert AuditEvent.objects.filter(kind="period.closed").count() == 1


def test_closing_needs_a_right_of_its_own(march: BillingPeriod, client: Client) -> None:
    client.force_login(factories.make_operator("sam", "billing.view_billingperiod", "billing.change_billingperiod"))
    assert address(march) not in client.get(COCKPIT).content.decode()
    assert (client.get(address(march)).status_code, client.post(address(march)).status_code) == (403, 403)
    client.force_login(factories.make_operator("sara", "billing.close_billingperiod"))
    assert (client.get(COCKPIT).status_code, client.post(address(march)).status_code) == (403, 403)
    assert BillingPeriod.objects.get().status == "open"


def test_a_month_that_is_not_there(client: Client, closer: User) -> None:
    assert client.get("/admin/billing/billingperiod/4711/close/").status_code == 404
    assert "There is no month yet" in client.get(COCKPIT).content.decode()
