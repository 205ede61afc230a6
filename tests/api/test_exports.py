"""Files of costs for programs."""

import hashlib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from billing.exports import hints, jobs
from billing.models import ExportJob
from billing.operations import add_credit
from tenants.models import Role, Tenant, User
from tests import factories
from tests.api.conftest import Program

BILLING = "/tenants/acme/billing"


@pytest.fixture(autouse=True)
def hinted(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    settings.EXPORTS_DIR = tmp_path / "exports"
    asked: list[int] = []
    monkeypatch.setattr(hints, "write_soon", asked.append)
    return asked


@pytest.fixture
def fionas(acme: Tenant, program_of: Callable[..., Program]) -> Program:
    fiona = factories.make_user("fiona")
    factories.join(fiona, acme, Role.FINANCE)
    return program_of(fiona, scopes=["costs:read"])


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


@pytest.mark.django_db(transaction=True)
def test_a_file_is_asked_for_watched_and_fetched(fionas: Program, acme: Tenant, hinted: list[int]) -> None:
    add_credit(tenant=acme, amount=Decimal("2.5"), reason="outage", now=timezone.now())
    asked = fionas("POST", f"{BILLING}/exports", {"format": "csv", "window": "month"})
    told = asked.json()
    assert (asked.status_code, told["state"], told["rows"], told["manifest"]) == (202, "waiting", 0, None)
    assert fionas("GET", f"{BILLING}/exports/{told['id']}/file").status_code == 409
    job = ExportJob.objects.get()
    assert hinted == [job.pk]
    assert jobs.run(job.pk)
    done = fionas("GET", f"{BILLING}/exports/{told['id']}").json()
    assert (done["state"], done["rows"], done["linesTotal"], done["linesDone"]) == ("done", 1, 1, 1)
    assert done["sums"] == [{"currency": "USD", "net": "-2.500000000", "list": "-2.500000000"}]
    assert done["manifest"]["sums"] == done["sums"]
    file = body(fionas("GET", f"{BILLING}/exports/{told['id']}/file"))
    assert (hashlib.sha256(file).hexdigest(), len(file)) == (done["sha256"], done["bytes"])
    assert [each["id"] for each in fionas("GET", f"{BILLING}/exports").json()["items"]] == [told["id"]]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"window": "1h"}, "window"),
        ({"filter": 'colour:"red"'}, "filter"),
        ({"asOf": "2999-01-01T00:00:00Z"}, "asOf"),
        ({"format": "doc"}, "format"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_is_not_understood_is_named(fionas: Program, changed: dict[str, str], field: str) -> None:
    answer = fionas("POST", f"{BILLING}/exports", {"format": "csv", "window": "month"} | changed)
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == [field]
    assert not ExportJob.objects.exists()


def test_a_request_sent_again_asks_once(fionas: Program) -> None:
    wish = {"format": "csv", "window": "month"}
    first, second = (fionas("POST", f"{BILLING}/exports", wish, idempotency_key="march") for _ in range(2))
    assert first.json() == second.json()
    assert ExportJob.objects.count() == 1


@pytest.mark.parametrize(("version", "column"), [("1.2", "ProviderName"), ("1.4", "ServiceProviderName")])
def test_focus_is_streamed(fionas: Program, version: str, column: str) -> None:
    answer = fionas("GET", f"{BILLING}/focus.csv?version={version}&window=lastmonth")
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert column in body(answer).decode().splitlines()[0].split(",")


def test_artists_and_strangers(alice: User, bob: User, acme: Tenant, program_of: Callable[..., Program]) -> None:
    job = factories.make_export(acme, alice)
    paths = [
        f"{BILLING}/exports",
        f"{BILLING}/exports/{job.slug}",
        f"{BILLING}/exports/{job.slug}/file",
        f"{BILLING}/focus.csv?window=month",
    ]
    assert [program_of(alice)("GET", path).status_code for path in paths] == [403] * 4
    assert [program_of(bob)("GET", path).status_code for path in paths] == [404] * 4
