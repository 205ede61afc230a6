"""Books that programs ask: of alice, who sees what is her own, and of anna, who is in charge of the money."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
import time_machine

from billing.operations import add_credit, settle
from engines.models import GpuClass, Instance
from tenants.access_tokens.operations import Wanted, make_personal_token
from tenants.models import Membership, Tenant, User
from tests.api.conftest import EVERY_SCOPE, Program
from tests.billing.facts import moment, record

NOW = moment("2026-03-10T12:20:30")
Ask = Callable[..., Any]


def program_of(person: User, scopes: list[str] = EVERY_SCOPE) -> Program:
    """Return a program that acts as somebody."""
    wanted = Wanted("a program", scopes, timedelta(days=7))
    return Program(make_personal_token(person=person, membership=None, wanted=wanted).secret)


def refusal(answer: Any) -> tuple[int, str, list[tuple[str, str]]]:
    """Return status, code, and which fields are named."""
    body = answer.json()
    return answer.status_code, body["code"], [(each["in"], each["field"]) for each in body.get("errors", [])]


@pytest.fixture(autouse=True)
def clock(valkey: object) -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def poster(make_running: Callable[..., Instance]) -> Instance:
    """alice's: 20 min on 28 February, and since 10:00."""
    poster = make_running(name="poster")
    record(poster, "ready", moment("2026-02-28T08:00:00"), run_id="first")
    record(poster, "ended", moment("2026-02-28T08:20:00"), run_id="first")
    record(poster, "ready", moment("2026-03-10T10:00:00"), run_id="second")
    settle(poster.pk, now=NOW)
    return poster


@pytest.fixture
def flyer(make_running: Callable[..., Instance], anna: User) -> Instance:
    """anna's, who is in charge of the money: 10 minutes for spring."""
    flyer = make_running(name="flyer", owner=anna, tag="spring")
    record(flyer, "ready", moment("2026-03-09T09:00:00"), tag="spring")
    record(flyer, "ended", moment("2026-03-09T09:10:00"), tag="spring")
    settle(flyer.pk, now=NOW)
    return flyer


@pytest.fixture
def books(poster: Instance, flyer: Instance, acme: Tenant, h100: GpuClass) -> None:
    add_credit(tenant=acme, amount=Decimal("1.50"), reason="Outage", now=NOW)


@pytest.fixture
def ask(anna: User, anna_in_acme: Membership) -> Ask:
    """Ask as anna, who sees everything; `to` is the end of the address, the rest its query."""

    def get(to: str, program: Program | None = None, **query: str) -> Any:
        words = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        return (program or program_of(anna))("GET", f"/tenants/acme/billing/{to}?{words}")

    return get
