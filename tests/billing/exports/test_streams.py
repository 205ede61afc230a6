"""A file that is written into the answer really streams, and whoever goes away has the database stop."""

import asyncio
import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from aigc_portal.asgi import application
from billing.errors import ExportRefused
from billing.exports.formats import Format
from billing.exports.sending import STREAMS, stream
from billing.exports.snapshots import NAME, snapshot
from billing.exports.texts import CSV
from tenants.access_tokens.operations import Wanted, make_personal_token
from tenants.models import Role
from tests import factories
from tests.billing.exports.conftest import Books
from tests.billing.exports.readers import rows_of
from tests.billing.exports.test_focus_source import selection
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/api/v1/tenants/acme/billing/focus.csv"
QUERY = "window=2026-03-01,2026-05-01&basis=usage&detail=ledger"


def busy() -> list[str]:
    """What sessions of exports are doing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT state FROM pg_stat_activity WHERE application_name = %s", [NAME])
        return [state for (state,) in cursor.fetchall()]


@pytest.fixture
def secret(books: Books, valkey: object) -> str:
    """A token of somebody in finance."""
    fiona = factories.make_user("fiona")
    factories.join(fiona, books.tenant, Role.FINANCE)
    return make_personal_token(person=fiona, membership=None, wanted=Wanted("erp", ["costs:read"], timedelta(days=1))).secret


@pytest.fixture
def in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row is a piece."""
    monkeypatch.setattr("billing.exports.texts.PIECE_BYTES", 1)


def scope_of(secret: str) -> dict[str, Any]:
    headers = [(b"host", b"portal.localhost:8000"), (b"authorization", f"Bearer {secret}".encode())]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": QUERY.encode(),
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8001),
        "scheme": "http",
        "root_path": "",
    }


class Caller:
    """A program at the other end, which may go away after so many pieces."""

    def __init__(self, leave_after: int | None = None) -> None:
        self.sent: list[dict[str, Any]] = []
        self.leave_after = leave_after
        self.gone = asyncio.Event()
        self.asked = False

    async def receive(self) -> dict[str, Any]:
        if not self.asked:
            self.asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        if self.leave_after is not None and len(self.pieces) >= self.leave_after:
            self.gone.set()
            await asyncio.sleep(0.01)

    @property
    def pieces(self) -> list[bytes]:
        return [each["body"] for each in self.sent if each.get("body")]


async def test_it_leaves_in_pieces_as_it_is_read(books: Books, secret: str, in_small_pieces: None) -> None:
    caller = Caller()
    await application(scope_of(secret), caller.receive, caller.send)
    lines = await sync_to_async(books.lines)()
    assert (caller.sent[0]["status"], len(caller.pieces)) == (200, 1 + len(lines))
    rows = rows_of(Format.FOCUS_1_4, b"".join(caller.pieces))
    assert sum(Decimal(str(row["BilledCost"])) for row in rows) == sum(each.amount for each in lines)
    await sync_to_async(wait_until)(lambda: busy() == [])


async def test_whoever_goes_away_leaves_no_statement_behind(books: Books, secret: str, in_small_pieces: None) -> None:
    caller = Caller(leave_after=3)
    await application(scope_of(secret), caller.receive, caller.send)
    assert len(caller.pieces) < 1 + len(await sync_to_async(books.lines)())
    await sync_to_async(wait_until)(lambda: busy() == [])


def test_a_statement_that_is_being_answered_is_cancelled(books: Books) -> None:
    """Rows of a megabyte, more than any buffer between holds."""
    with snapshot(selection(books)) as read:
        stretch = next(read.stretches())
        rows = read.copy(stretch, "repeat('x', 1000000)", CSV)
        next(rows)
        wait_until(lambda: busy() == ["active"])
        started = time.monotonic()
        rows.close()
        assert time.monotonic() - started < 5
    wait_until(lambda: busy() == [])


def test_so_many_at_a_time(books: Books) -> None:
    running = [stream(selection(books), Format.CSV, "costs.csv") for _ in range(STREAMS)]
    try:
        with pytest.raises(ExportRefused, match="Too many files are being sent"):
            stream(selection(books), Format.CSV, "costs.csv")
    finally:
        for each in running:
            each.close()
    stream(selection(books), Format.CSV, "costs.csv").close()
