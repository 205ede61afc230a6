"""The page of exports."""

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing.exports import hints
from billing.exports.jobs import path_of
from billing.models import ExportJob
from tenants.audit.models import AuditEvent
from tenants.models import Role, Tenant, User
from tests import factories

PAGE = "/acme/costs/exports/"
WISH = {"format": "csv", "first_day": "2026-03-01", "last_day": "2026-03-31", "basis": "usage", "detail": "net", "filter": ""}


@pytest.fixture(autouse=True)
def directory(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.EXPORTS_DIR = tmp_path / "exports"
    monkeypatch.setattr(hints, "write_soon", lambda _pk: None)


@pytest.fixture
def fiona(acme: Tenant) -> User:
    fiona = factories.make_user("fiona")
    factories.join(fiona, acme, Role.FINANCE)
    return fiona


@pytest.fixture
def as_fiona(client: Client, fiona: User) -> Client:
    client.force_login(fiona)
    return client


def test_an_empty_page_says_what_to_do_and_offers_last_month(as_fiona: Client) -> None:
    shown = as_fiona.get(PAGE).content.decode()
    assert "No files yet" in shown
    last = timezone.now().date().replace(day=1) - timedelta(days=1)
    assert f'value="{last}"' in shown
    assert f'value="{last.replace(day=1)}"' in shown


def test_the_form_makes_a_job(as_fiona: Client, fiona: User) -> None:
    answer = as_fiona.post(PAGE, WISH | {"filter": 'user:"ann"'})
    assert (answer.status_code, answer["Location"]) == (302, PAGE)
    job = ExportJob.objects.get()
    assert (job.asked_by, job.format, f"{job.first_day}", f"{job.last_day}") == (fiona, "csv", "2026-03-01", "2026-03-31")
    assert (job.filter, job.basis, job.detail, job.state) == ('user:"ann"', "usage", "net", "waiting")
    shown = as_fiona.get(PAGE).content.decode()
    assert f'hx-get="{PAGE}{job.slug}/"' in shown


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"last_day": "2026-02-28"}, "This is before the first day."),
        ({"last_day": "9999-12-31"}, "less than or equal to"),
        ({"basis": "invoice", "last_day": "2026-03-30"}, "Invoices are of whole months."),
        ({"filter": "ann"}, "A filter is written as"),
        ({"format": "doc"}, "Select a valid choice"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(as_fiona: Client, changed: dict[str, str], sentence: str) -> None:
    answer = as_fiona.post(PAGE, WISH | changed)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert not ExportJob.objects.exists()


def test_progress_is_polled_until_there_is_none(as_fiona: Client, acme: Tenant, fiona: User) -> None:
    job = factories.make_export(acme, fiona)
    running = {"state": "running", "lease": "00000000-0000-0000-0000-000000000001", "leased_until": timezone.now()}
    ExportJob.objects.update(**running, lines_total=200, lines_done=50)
    shown = as_fiona.get(f"{PAGE}{job.slug}/").content.decode()
    assert ("25 %" in shown, "every 2s" in shown, "Download" in shown) == (True, True, False)
    ExportJob.objects.update(state="done", lease=None, leased_until=None)
    shown = as_fiona.get(f"{PAGE}{job.slug}/").content.decode()
    assert ("every 2s" in shown, "Download" in shown, "USD 1.500000000" in shown) == (False, True, True)
    ExportJob.objects.update(state="failed")
    assert "Ask for it again" in as_fiona.get(f"{PAGE}{job.slug}/").content.decode()


def content(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def test_a_file_is_sent_whole_or_in_part(as_fiona: Client, acme: Tenant, fiona: User) -> None:
    job = factories.make_export(acme, fiona)
    file = path_of(job).read_bytes()
    whole = as_fiona.get(f"{PAGE}{job.slug}/file")
    assert (whole.status_code, content(whole), whole["Content-Length"]) == (200, file, f"{len(file)}")
    assert whole["Content-Disposition"] == f'attachment; filename="{job.download_name}"'
    assert whole["ETag"] == f'"{hashlib.sha256(file).hexdigest()}"'
    rest = as_fiona.get(f"{PAGE}{job.slug}/file", headers={"range": "bytes=10-", "if-range": whole["ETag"]})
    assert (rest.status_code, content(rest), rest["Content-Range"]) == (206, file[10:], f"bytes 10-{len(file) - 1}/{len(file)}")
    other = as_fiona.get(f"{PAGE}{job.slug}/file", headers={"range": "bytes=10-", "if-range": '"older"'})
    assert (other.status_code, content(other)) == (200, file)
    assert as_fiona.get(f"{PAGE}{job.slug}/file", headers={"range": "bytes=999-"}).status_code == 416
    assert as_fiona.get(f"{PAGE}{job.slug}/file", headers={"if-none-match": whole["ETag"]}).status_code == 304
    taken = AuditEvent.objects.filter(kind="costs.exported", actor=fiona, subject_id=job.slug)
    assert taken.count() == 2  # twice from the beginning; what goes on with it is no second taking


def test_a_file_that_is_gone_is_refused_in_words(as_fiona: Client, acme: Tenant, fiona: User) -> None:
    job = factories.make_export(acme, fiona)
    path_of(job).unlink()
    answer = as_fiona.get(f"{PAGE}{job.slug}/file")
    assert (answer.status_code, "Ask for it again" in answer.content.decode()) == (422, True)
    ExportJob.objects.update(state="expired")
    for address in ("file", "manifest.json"):
        answer = as_fiona.get(f"{PAGE}{job.slug}/{address}")
        assert (answer.status_code, "no longer kept" in answer.content.decode()) == (422, True)


@pytest.mark.parametrize("below", ["", "{slug}/", "{slug}/file", "{slug}/manifest.json"])
def test_strangers_find_nothing_and_artists_may_not(
    client: Client, acme: Tenant, alice: User, bob: User, bolt: Tenant, below: str
) -> None:
    page = PAGE + below.format(slug=factories.make_export(acme, alice).slug)
    client.force_login(alice)
    assert client.get(page).status_code == 403
    client.force_login(bob)
    assert client.get(page).status_code == 404
    assert client.get(page.replace("/acme/", "/bolt/")).status_code == (404 if below else 200)
