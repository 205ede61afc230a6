"""How long somebody stays signed in: pages, sockets and the gateway go by the session's own date of expiry."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client

from tenants.models import User

BEGIN = datetime(2030, 1, 1, tzinfo=UTC)
IDLE = timedelta(hours=settings.SESSION_IDLE_HOURS)
LONGEST = timedelta(hours=settings.SESSION_LONGEST_HOURS)


@pytest.fixture
def signed_in(alice: User, client: Client) -> Client:
    alice.set_password("correct horse battery")
    alice.save()
    with time_machine.travel(BEGIN, tick=False):
        client.post("/accounts/login/", {"login": "alice", "password": "correct horse battery"})
    return client


def is_signed_in(client: Client, after: timedelta) -> bool:
    with time_machine.travel(BEGIN + after, tick=False):
        return client.get("/acme/").status_code == 200


def expiry() -> timedelta:
    return Session.objects.get().expire_date - BEGIN


def test_a_session_ends_when_nobody_has_used_it(signed_in: Client) -> None:
    assert expiry() == IDLE
    assert not is_signed_in(signed_in, IDLE + timedelta(seconds=1))


def test_use_renews_it(signed_in: Client) -> None:
    assert is_signed_in(signed_in, IDLE - timedelta(minutes=1))
    assert expiry() == 2 * IDLE - timedelta(minutes=1)
    assert is_signed_in(signed_in, IDLE + timedelta(days=1))


def test_it_is_not_renewed_with_every_request(signed_in: Client) -> None:
    assert is_signed_in(signed_in, timedelta(minutes=5))
    assert expiry() == IDLE


def test_it_ends_at_last_however_much_it_is_used(signed_in: Client) -> None:
    moment = timedelta()
    while moment + IDLE / 2 < LONGEST:
        moment += IDLE / 2
        assert is_signed_in(signed_in, moment)
    assert expiry() == LONGEST
    assert is_signed_in(signed_in, LONGEST - timedelta(minutes=1))
    assert not is_signed_in(signed_in, LONGEST + timedelta(seconds=1))


def test_nobody_gets_a_session_for_looking(client: Client, db: None) -> None:
    client.get("/")
    client.get("/healthz")
    assert not Session.objects.exists()
