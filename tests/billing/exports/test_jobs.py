"""A file is written once, whole, by whoever lives to do it."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from billing.accounts import posted_to
from billing.errors import ExportRefused
from billing.exports import hints, jobs, parquet
from billing.exports.asking import UNFINISHED_AT_ONCE, Wanted, ask_for_export
from billing.exports.formats import Basis, Detail, Format
from billing.exports.manifest import manifest_of
from billing.models import ExportJob
from billing.operations import add_credit, set_terms
from tenants.audit.models import AuditEvent
from tenants.errors import NotAllowed
from tenants.models import Membership, Role, Tenant, User
from tests import factories
from tests.billing.exports.conftest import NOW, Books
from tests.billing.exports.readers import rows_of, sums

pytestmark = pytest.mark.django_db(transaction=True)
OF_ONE_ENDING = {Format.SHEET_CSV, Format.FOCUS_1_2, Format.FOCUS_1_4}
"""Beside plain CSV: their files are called so, too, or one would take another's place on somebody's disk."""
MARCH = Wanted(Format.CSV, "2026-03-01,2026-05-01", detail=Detail.LEDGER)
State = ExportJob.State


@pytest.fixture(autouse=True)
def hinted(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Which jobs a worker was asked to write; none does it by itself. The clock stands after the books' last posting."""
    settings.EXPORTS_DIR = tmp_path / "exports"
    asked: list[int] = []
    monkeypatch.setattr(hints, "write_soon", asked.append)
    return asked


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW + timedelta(hours=1), tick=False) as traveller:
        yield traveller


@pytest.fixture
def finance(books: Books) -> Membership:
    fiona = factories.make_user("fiona")
    return factories.join(fiona, books.tenant, Role.FINANCE)


def ask(by: Membership, wanted: Wanted = MARCH) -> ExportJob:
    return ask_for_export(by=by, wanted=wanted, now=timezone.now())


def done(job: ExportJob) -> ExportJob:
    assert jobs.run(job.pk)
    job.refresh_from_db()
    return job


@pytest.mark.parametrize("format_", Format)
def test_a_file_is_what_its_manifest_says(books: Books, finance: Membership, hinted: list[int], format_: Format) -> None:
    job = ask(finance, replace(MARCH, format=format_))
    assert (job.state, hinted) == (State.WAITING, [job.pk])
    done(job)
    file = jobs.path_of(job).read_bytes()
    charges = books.lines()
    net, listed = sum(each.amount for each in charges), sum(each.list_amount for each in charges)
    assert (job.state, job.attempts, job.lines_total, job.lines_done) == (State.DONE, 1, len(charges), len(charges))
    told = json.loads(json.dumps(manifest_of(job)))
    assert told | {"columns": None} == {
        "manifest": 1,
        "file": f"costs-acme-20260301-20260430{f'-{format_}' if format_ in OF_ONE_ENDING else ''}.{format_.ending}",
        "format": format_,
        "focusVersion": format_.focus,
        "columns": None,
        "issuer": "AIGC Portal",
        "tenant": "acme",
        "timeZone": "Asia/Shanghai",
        "window": {"start": "2026-02-28T16:00:00+00:00", "end": "2026-04-30T16:00:00+00:00"},
        "basis": "usage",
        "detail": "ledger",
        "filter": "",
        "asOf": posted_to(books.tenant.pk).isoformat(),
        "rows": len(rows_of(format_, file)),
        "sums": [{"currency": "USD", "net": f"{net}", "list": f"{listed}"}],
        "bytes": len(file),
        "sha256": hashlib.sha256(file).hexdigest(),
        "madeAt": timezone.now().isoformat(),
    }
    assert sums(format_, file) == {"USD": (net, listed)}
    assert [path.name for path in jobs.directory().iterdir()] == [job.file_name]


def test_what_is_posted_after_the_asking_is_not_in_it(books: Books, finance: Membership) -> None:
    job = ask(finance)
    add_credit(tenant=books.tenant, amount=Decimal(1), reason="later", now=timezone.now())
    assert done(job).row_count == len(books.lines()) - 1


def test_two_currencies_are_two_sums(acme: Tenant, anna_in_acme: Membership) -> None:
    add_credit(tenant=acme, amount=Decimal(1), reason="outage", now=NOW)
    set_terms(tenant=acme, now=NOW, currency="EUR")
    add_credit(tenant=acme, amount=Decimal("2.5"), reason="outage", now=NOW + timedelta(days=40))
    with time_machine.travel(NOW + timedelta(days=41)):
        job = done(ask(anna_in_acme, Wanted(Format.XLSX, "2026-04-01,2026-06-01")))
    assert job.sums == [
        {"currency": "EUR", "net": "-2.500000000", "list": "-2.500000000"},
        {"currency": "USD", "net": "-1.000000000", "list": "-1.000000000"},
    ]
    assert sums(Format.XLSX, jobs.path_of(job).read_bytes()) == {
        "EUR": (Decimal("-2.5"), Decimal("-2.5")),
        "USD": (Decimal(-1), Decimal(-1)),
    }


@pytest.mark.parametrize(
    ("wanted", "field", "sentence"),
    [
        (replace(MARCH, window="yesterdayish"), "window", "These are no whole days"),
        (replace(MARCH, window="2026-03-01,2026-03-10", basis=Basis.INVOICE), "window", "Invoices are of whole months."),
        (replace(MARCH, filter='colour:"red"'), "filter", "There is no dimension “colour”."),
        (replace(MARCH, filter="user=alice"), "filter", "A filter is written as"),
        (replace(MARCH, as_of=NOW + timedelta(days=1)), "as_of", "This is no moment"),
    ],
)
def test_what_cannot_be_had_is_refused_and_nothing_is_written(
    books: Books, finance: Membership, wanted: Wanted, field: str, sentence: str
) -> None:
    with pytest.raises(ExportRefused, match=sentence) as refusal:
        ask(finance, wanted)
    assert refusal.value.field == field
    assert not ExportJob.objects.exists()


def test_only_those_who_may_see_all_costs_ask(books: Books, alice: User) -> None:
    with pytest.raises(NotAllowed):
        ask(Membership.objects.get(user=alice))
    assert not ExportJob.objects.exists()


def test_so_many_at_once_and_no_more(books: Books, finance: Membership) -> None:
    for _ in range(UNFINISHED_AT_ONCE):
        ask(finance)
    with pytest.raises(ExportRefused, match="5 files of this tenant are being written already"):
        ask(finance)
    assert ExportJob.objects.count() == UNFINISHED_AT_ONCE


def test_asking_is_recorded(books: Books, finance: Membership) -> None:
    job = ask(finance)
    event = AuditEvent.objects.get(kind="costs.exported")
    assert (event.actor, event.tenant, event.subject_id) == (finance.user, books.tenant, job.slug)
    assert event.details == {"format": "csv", "from": "2026-03-01", "until": "2026-04-30"}


def test_a_message_that_comes_twice_writes_once(books: Books, finance: Membership) -> None:
    job = done(ask(finance))
    before = ExportJob.objects.filter(pk=job.pk).values().get()
    assert jobs.run(job.pk) is False
    assert ExportJob.objects.filter(pk=job.pk).values().get() == before


def test_nobody_else_works_while_the_lease_lasts(books: Books, finance: Membership, clock: time_machine.Traveller) -> None:
    job = ask(finance)
    assert jobs._take(job.pk, timezone.now()) is not None
    assert jobs.run(job.pk) is False
    clock.shift(jobs.LEASE)
    assert done(job).attempts == 2


def test_a_worker_that_was_taken_for_dead_changes_nothing(
    books: Books, finance: Membership, clock: time_machine.Traveller
) -> None:
    """It wakes up in the middle of writing, when another has done the work."""
    job = ask(finance)
    slow = jobs._take(job.pk, timezone.now())
    clock.shift(jobs.LEASE)
    done(job)
    with pytest.raises(jobs.LeaseLost):
        jobs._write(slow, jobs.directory() / "slow.part")
    after = ExportJob.objects.get(pk=job.pk)
    assert (after.state, after.sha256, after.file_name) == (State.DONE, job.sha256, job.file_name)
    assert jobs.path_of(after).exists()


def test_an_error_leaves_it_to_another_attempt_and_then_gives_up(
    books: Books, finance: Membership, monkeypatch: pytest.MonkeyPatch, hinted: list[int]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(jobs.os, "fsync", full)
    job = ask(finance)
    for state in (State.WAITING, State.WAITING, State.FAILED):
        with pytest.raises(OSError, match="No space left"):
            jobs.run(job.pk)
        job.refresh_from_db()
        assert (job.state, job.lease) == (state, None)
    assert hinted == [job.pk] * 3
    assert list(jobs.directory().iterdir()) == []
    assert jobs.run(job.pk) is False


def test_a_killed_worker_leaves_nothing_and_the_next_one_does_it(
    books: Books, finance: Membership, clock: time_machine.Traveller, hinted: list[int]
) -> None:
    """It dies when its file is written and named, and the job does not say so yet."""
    job = ask(finance)
    test_database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    environment = os.environ | {
        "DATABASE_URL": urlunsplit(test_database),
        "DJANGO_SETTINGS_MODULE": "aigc_portal.settings",
        "AIGC_EXPORTS_DIR": str(jobs.directory()),
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }
    script = Path(__file__).with_name("write_and_hang.py")
    with subprocess.Popen([sys.executable, script, str(job.pk)], env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "named\n"
        finally:
            process.kill()
    job.refresh_from_db()
    [left] = jobs.directory().iterdir()
    assert (job.state, left.suffix) == (State.RUNNING, ".csv")
    clock.move_to(job.leased_until)
    hinted.clear()
    jobs.sweep(now=timezone.now())
    assert hinted == [job.pk]
    done(job)
    file = jobs.path_of(job).read_bytes()
    assert (hashlib.sha256(file).hexdigest(), left.read_bytes()) == (job.sha256, file)
    os.utime(left, (0, 0))
    jobs.sweep(now=timezone.now())
    assert list(jobs.directory().iterdir()) == [jobs.path_of(job)]


def test_files_are_kept_for_some_days(books: Books, finance: Membership, clock: time_machine.Traveller) -> None:
    job = done(ask(finance))
    clock.move_to(job.expires_at - timedelta(seconds=1))
    jobs.sweep(now=timezone.now())
    assert jobs.path_of(job).exists()
    clock.move_to(job.expires_at)
    jobs.sweep(now=timezone.now())
    job.refresh_from_db()
    assert (job.state, list(jobs.directory().iterdir())) == (State.EXPIRED, [])


def test_a_portal_without_pyarrow_says_so(books: Books, finance: Membership, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    parquet.is_available.cache_clear()
    try:
        with pytest.raises(ExportRefused, match="have not installed pyarrow"):
            ask(finance, replace(MARCH, format=Format.PARQUET))
    finally:
        parquet.is_available.cache_clear()
