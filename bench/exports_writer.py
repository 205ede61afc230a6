"""`python -m bench.exports_writer TENANT stream|csv|xlsx`: write one file of a year and throw it away; print what that took.

`stream` asks the API through ASGI, as a server does; the others write as the worker does.
"""

import asyncio
import json
import resource
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import django

django.setup()

from aigc_portal.asgi import application  # noqa: E402 - needs the settings
from billing.accounts import calendar_of  # noqa: E402
from billing.exports.formats import Basis, Detail, Format  # noqa: E402
from billing.exports.selection import Selection  # noqa: E402
from billing.exports.snapshots import snapshot  # noqa: E402
from billing.exports.texts import Tally  # noqa: E402
from billing.exports.writing import write  # noqa: E402
from billing.windows import parse  # noqa: E402
from tenants.access_tokens.operations import Wanted, make_personal_token  # noqa: E402
from tenants.models import Membership, Role, Tenant, User  # noqa: E402

YEAR = "2025-11-01,2026-11-01"
NOTHING = "2024-01-01,2024-02-01"
NOW = datetime(2026, 11, 2, tzinfo=UTC)


class Caller:
    """The other end of a request: counts, and notes when the first rows come."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.first = 0.0
        self.size = self.pieces = 0
        self.asked = False

    async def receive(self) -> dict[str, Any]:
        if not self.asked:
            self.asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, message: dict[str, Any]) -> None:
        body = message.get("body", b"")
        self.size += len(body)
        self.pieces += bool(body)
        if self.pieces == 2 and not self.first:  # the first is the header
            self.first = time.monotonic() - self.started


async def ask(tenant: Tenant, secret: str, window: str) -> Caller:
    """Stream a FOCUS file."""
    caller = Caller()
    path = f"/api/v1/tenants/{tenant.slug}/billing/focus.csv"
    headers = [(b"host", b"portal.localhost:8000"), (b"authorization", f"Bearer {secret}".encode())]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": path,
        "raw_path": path.encode(),
        "query_string": f"window={window}&basis=usage".encode(), "headers": headers, "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8001), "scheme": "http", "root_path": "",
    }  # fmt: skip
    await application(scope, caller.receive, caller.send)
    return caller


def streamed(tenant: Tenant) -> dict[str, float]:
    person = User.objects.get(pk=1)
    Membership.objects.get_or_create(user=person, tenant=tenant, defaults={"role": Role.FINANCE})
    wanted = Wanted("bench", ["costs:read"], timedelta(days=1))
    secret = make_personal_token(person=person, membership=None, wanted=wanted).secret

    async def both() -> Caller:
        await ask(tenant, secret, NOTHING)  # what is slow only once
        return await ask(tenant, secret, YEAR)

    caller = asyncio.run(both())
    return {"seconds": time.monotonic() - caller.started, "first_ms": 1000 * caller.first, "bytes": caller.size}


def worked(tenant: Tenant, format_: Format) -> dict[str, float]:
    calendar = calendar_of(tenant)
    selection = Selection(tenant.pk, parse(YEAR, calendar, NOW), calendar, NOW, (), Basis.USAGE, Detail.NET)
    started = time.monotonic()
    with Path("/dev/null").open("wb") as sink, snapshot(selection) as books:
        write(format_, books, sink, Tally())
    return {"seconds": time.monotonic() - started}


if __name__ == "__main__":
    own, what = Tenant.objects.get(pk=int(sys.argv[1])), sys.argv[2]
    found = streamed(own) if what == "stream" else worked(own, Format(what))
    print(json.dumps(found | {"rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
