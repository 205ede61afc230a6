"""Within an account, postings are stamped and numbered in the order in which they are committed; so the past stays as it was."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from random import Random

import pytest
from django.db import connection, transaction
from django.db.models import Count, QuerySet, Sum

from billing import queries
from billing.accounts import posted_to
from billing.closing import close_period
from billing.models import BillingPeriod, Charge
from billing.operations import add_adjustment, add_credit, settle
from engines.models import Instance
from tenants.models import Tenant
from tests.billing.facts import moment, record
from tests.waiting import wait_until

NOW = moment("2026-03-10T12:00:00")
MICROSECOND = timedelta(microseconds=1)


@contextmanager
def elsewhere() -> Iterator[ThreadPoolExecutor]:
    """A thread with a connection of its own."""
    with ThreadPoolExecutor(1) as pool:
        yield pool
        pool.submit(lambda: connection.close()).result()  # noqa: PLW0108 - the thread's own


def waiting_for_locks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
        (count,) = cursor.fetchone()
    return int(count)


def credit(tenant: Tenant, amount: str = "1", *, late: timedelta = timedelta()) -> Charge:
    return add_credit(tenant=tenant, amount=Decimal(amount), reason="Outage", now=NOW - late)


@pytest.mark.django_db(transaction=True)
def test_who_waits_is_stamped_later(acme: Tenant) -> None:
    """The second began at the same moment, and with an earlier clock: it is posted later all the same."""
    credit(acme)
    with elsewhere() as second:
        with transaction.atomic():
            first = credit(acme)
            waits = second.submit(credit, acme, late=timedelta(minutes=1))
            wait_until(lambda: waiting_for_locks() == 1)
            assert not waits.done()
        then = waits.result(timeout=20)
    assert (first.posted_at, then.posted_at) == (NOW + MICROSECOND, NOW + 2 * MICROSECOND)
    assert first.pk < then.pk
    assert posted_to(acme.pk) == then.posted_at


@pytest.mark.django_db(transaction=True)
def test_settling_waits_as_well(acme: Tenant, make_running: Callable[..., Instance]) -> None:
    poster = make_running()
    record(poster, "ready", NOW - timedelta(hours=1))
    record(poster, "ended", NOW)
    with elsewhere() as second:
        credit(acme)
        with transaction.atomic():
            first = credit(acme)
            waits = second.submit(settle, poster.pk, now=NOW)
            wait_until(lambda: waiting_for_locks() == 1)
        assert waits.result(timeout=20) == 1
    settled = Charge.objects.get(instance=poster)
    assert settled.posted_at == first.posted_at + MICROSECOND
    assert settled.pk > first.pk


@pytest.mark.django_db(transaction=True)
def test_who_gives_up_leaves_no_trace(acme: Tenant) -> None:
    kept = credit(acme)
    with transaction.atomic():
        credit(acme)
        transaction.set_rollback(True)
    assert posted_to(acme.pk) == kept.posted_at == NOW


@pytest.mark.django_db(transaction=True)
def test_other_accounts_do_not_wait(acme: Tenant, bolt: Tenant) -> None:
    credit(acme)
    credit(bolt)
    with elsewhere() as second, transaction.atomic():
        credit(acme)
        assert second.submit(credit, bolt).result(timeout=20).tenant == bolt


def post_often(tenant: Tenant, seed: int) -> None:
    """Post one or two rows at a time, by a clock that is wrong now and then."""
    random = Random(seed)
    try:
        for _ in range(12):
            with transaction.atomic():
                for _ in range(random.randint(1, 2)):
                    at = NOW + timedelta(seconds=random.randint(-90, 90))
                    add_adjustment(tenant=tenant, amount=Decimal(random.randint(1, 9)), reason="Race", now=at)
    finally:
        connection.close()


def sum_and_count(charges: QuerySet[Charge]) -> tuple[Decimal, int]:
    found = charges.aggregate(amount=Sum("amount"), count=Count("pk"))
    return found["amount"], found["count"]


@pytest.mark.django_db(transaction=True)
def test_what_was_read_as_of_a_moment_is_read_again(acme: Tenant) -> None:
    """Readers look at the books while four post: whatever they saw as of the last posting is there ever after, and no more."""
    credit(acme)
    seen = []
    with ThreadPoolExecutor(4) as pool:
        posting = [pool.submit(post_often, acme, seed) for seed in range(4)]
        while not all(each.done() for each in posting):
            with queries.snapshot():
                seen.append((posted_to(acme.pk), sum_and_count(Charge.objects.all())))
    assert [each.result() for each in posting] == [None] * 4
    assert len({at for at, _found in seen}) > 3
    for at, found in seen:
        assert sum_and_count(Charge.objects.filter(posted_at__lte=at)) == found
    stamps = list(Charge.objects.order_by("pk").values_list("posted_at", flat=True))
    assert stamps == sorted(set(stamps))


@pytest.mark.django_db(transaction=True)
def test_closing_and_posting_do_not_wait_for_each_other(acme: Tenant) -> None:
    """Both take the account before the month."""
    credit(acme, "0.001")
    march = BillingPeriod.objects.get(tenant=acme)
    later = moment("2026-04-10T00:00:00")
    with elsewhere() as second:
        with transaction.atomic():
            credit(acme, "0.002")
            waits = second.submit(lambda: close_period(period=march, now=later))
            wait_until(lambda: waiting_for_locks() == 1)
            credit(acme, "0.003")
        closed = waits.result(timeout=20)
    assert (closed.charge_count, closed.amount) == (4, Decimal("-0.01"))  # three, and what rounds them
    assert posted_to(acme.pk) == later
