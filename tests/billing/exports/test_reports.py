"""Once a month may be closed, whoever asked for it is told what it came to: once."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core import mail

from billing.exports import hints, jobs, reports
from billing.models import BillingPeriod, ExportJob
from billing.money import Money
from billing.tasks import sweep_exports
from tenants.models import Role, User
from tenants.notifications import outbox
from tenants.notifications.models import Delivery, Notification, NotificationRecipient
from tenants.notifications.operations import choose_mail
from tests import factories
from tests.billing.exports.conftest import Books
from tests.billing.facts import moment

pytestmark = pytest.mark.django_db(transaction=True)
MONTH_IS_OVER = moment("2026-03-31T16:00:00")


@pytest.fixture(autouse=True)
def hinted(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    settings.EXPORTS_DIR = tmp_path / "exports"
    asked: list[int] = []
    monkeypatch.setattr(hints, "write_soon", asked.append)
    return asked


@pytest.fixture(autouse=True)
def clock(books: Books) -> Iterator[time_machine.Traveller]:
    with time_machine.travel(books.now, tick=False) as traveller:
        yield traveller


@pytest.fixture
def fiona(books: Books) -> User:
    """In finance, and wants the report by mail."""
    fiona = factories.make_user("fiona")
    factories.join(fiona, books.tenant, Role.FINANCE)
    choose_mail(user=fiona, wanted=["costs_report"], language="en")
    return fiona


def due(now: Any) -> list[str]:
    return [period.label for period in reports.due(now)]


def test_a_month_is_due_when_it_may_be_closed_and_not_for_ever(books: Books) -> None:
    assert due(MONTH_IS_OVER + timedelta(hours=72, seconds=-1)) == []
    assert due(MONTH_IS_OVER + timedelta(hours=72)) == ["2026-03"]
    assert due(MONTH_IS_OVER + timedelta(days=20, seconds=-1)) == ["2026-03"]
    assert due(MONTH_IS_OVER + timedelta(days=20)) == []


def test_the_report_is_written_and_told_once(books: Books, fiona: User, hinted: list[int]) -> None:
    factories.join(factories.make_user("frank"), books.tenant, Role.FINANCE)  # who did not ask for mail
    sweep_exports()
    sweep_exports()
    job = ExportJob.objects.get()
    assert set(hinted) == {job.pk}
    assert (job.report_of.label, job.asked_by, job.format, job.basis) == ("2026-03", None, "xlsx", "invoice")
    assert not Notification.objects.filter(kind="costs_report").exists()
    assert jobs.run(job.pk)
    assert jobs.run(job.pk) is False
    job.refresh_from_db()
    march = sum((each.amount for each in books.lines() if each.period.label == "2026-03"), Decimal(0))
    assert job.sums == [{"currency": "USD", "net": f"{march}", "list": job.sums[0]["list"]}]
    told = Notification.objects.get(kind="costs_report")
    assert told.context == {"tenant": "Acme Studio", "month": "2026-03", "amount": Money(march, "USD").exact}
    assert set(NotificationRecipient.objects.values_list("user__username", flat=True)) == {"fiona", "frank"}
    assert [delivery.user for delivery in Delivery.objects.all()] == [fiona]


def test_the_mail_has_the_sum_and_a_link_behind_the_sign_in(books: Books, fiona: User) -> None:
    sweep_exports()
    jobs.run(ExportJob.objects.get().pk)
    outbox.deliver_due()
    [sent] = mail.outbox
    assert (sent.to, sent.subject) == (["fiona@example.org"], "What Acme Studio cost in 2026-03")
    assert "USD " in sent.body
    assert "http://portal.localhost:8000/acme/costs/exports/" in sent.body
    assert sent.attachments == []


def test_a_report_is_one_even_if_its_worker_dies_before_it_tells(
    books: Books, fiona: User, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_job: ExportJob) -> None:
        raise SystemExit

    sweep_exports()
    job = ExportJob.objects.get()
    with monkeypatch.context() as patch:
        patch.setattr(reports, "announce", die)
        with pytest.raises(SystemExit):
            jobs.run(job.pk)
    job.refresh_from_db()
    assert (job.state, Notification.objects.count()) == ("running", 0)
    clock.shift(jobs.LEASE)
    assert jobs.run(job.pk)
    assert Notification.objects.filter(kind="costs_report").count() == 1


def test_the_report_of_a_closed_month_is_what_was_closed(books: Books) -> None:
    sweep_exports()
    job = ExportJob.objects.get()
    jobs.run(job.pk)
    job.refresh_from_db()
    period = BillingPeriod.objects.get(month="2026-03-01")
    assert (job.sums[0]["net"], job.sums[0]["list"]) == (f"{period.amount}", f"{period.list_amount}")
