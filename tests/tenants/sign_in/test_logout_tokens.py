"""Providers that tell us by the back channel that somebody signed out: portal and engine sessions end, and nobody else's."""

import time
from typing import Any

import pytest
import redis
from django.conf import settings
from django.test import Client

from tenants.audit.models import AuditEvent
from tenants.rights import EVERYTHING, gateway_channel
from tests.tenants.sign_in.conftest import is_signed_in, sign_in
from tests.tenants.sign_in.provider_double import LOGOUT_EVENT, ProviderDouble

ADDRESS = "/accounts/oidc/double/back-channel-logout/"


@pytest.fixture
def provider(double: ProviderDouble, described, configure, acme) -> ProviderDouble:
    configure(described)
    return double


@pytest.fixture
def channel() -> Client:
    """The provider itself, without cookies and with CSRF protection on."""
    return Client(HTTP_HOST="portal.localhost:8000", enforce_csrf_checks=True)


def sign_in_with(provider: ProviderDouble, browser: Client, **claims: Any) -> None:
    provider.claims = {"email_verified": True, "email": f"{claims['sub']}@acme.example"} | claims
    assert sign_in(browser, provider).status_code == 302


def test_all_sessions_of_the_person_end_and_nobody_else_s(provider, browser, another_browser, channel):
    third = Client(HTTP_HOST="portal.localhost:8000")
    sign_in_with(provider, third, sub="u-2")
    sign_in_with(provider, browser, sub="u-1", sid="s-1")
    sign_in_with(provider, another_browser, sub="u-1", sid="s-2")
    answer = channel.post(ADDRESS, {"logout_token": provider.logout_token()})
    assert (answer.status_code, answer.content) == (200, b"")
    assert "no-store" in answer["Cache-Control"]
    assert [is_signed_in(each) for each in (browser, another_browser, third)] == [False, False, True]
    event = AuditEvent.objects.get(kind="account.sessions_ended")
    assert event.details == {"number": 2, "why": "provider"}


def test_one_session_ends_where_the_token_names_it(provider, browser, another_browser, channel):
    sign_in_with(provider, browser, sub="u-1", sid="s-1")
    sign_in_with(provider, another_browser, sub="u-1", sid="s-2")
    channel.post(ADDRESS, {"logout_token": provider.logout_token(sid="s-2")})
    assert [is_signed_in(browser), is_signed_in(another_browser)] == [True, False]


def test_a_session_without_a_person_is_enough(provider, browser, channel):
    sign_in_with(provider, browser, sub="u-1", sid="s-1")
    assert channel.post(ADDRESS, {"logout_token": provider.logout_token(sub=None, sid="s-1")}).status_code == 200
    assert not is_signed_in(browser)


def test_engines_hear_of_it(provider, browser, channel, django_capture_on_commit_callbacks):
    """The gateway forgets what it knows of visitors, whose passes stand on the portal's sessions."""
    sign_in_with(provider, browser, sub="u-1")
    listening = redis.Redis.from_url(settings.REDIS_URL, decode_responses=True).pubsub()
    listening.subscribe(gateway_channel())
    assert listening.get_message(timeout=5)["type"] == "subscribe"
    with django_capture_on_commit_callbacks(execute=True):
        channel.post(ADDRESS, {"logout_token": provider.logout_token()})
    assert listening.get_message(timeout=5)["data"] == EVERYTHING
    listening.close()


NOW = int(time.time())
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "issuer": ({"iss": "https://evil.example"}, "Invalid issuer"),
    "audience": ({"aud": "another"}, "Audience"),
    "expired": ({"exp": NOW - 120}, "expired"),
    "long ago": ({"iat": NOW - 3600, "exp": NOW + 3600}, "too old"),
    "no iat": ({"iat": None}, "iat"),
    "no exp": ({"exp": None}, "exp"),
    "no jti": ({"jti": None}, "jti"),
    "no events": ({"events": None}, "events"),
    "another event": ({"events": {"https://example.org/event": {}}}, "does not tell"),
    "the event as text": ({"events": LOGOUT_EVENT}, "does not tell"),
    "a nonce": ({"nonce": "n"}, "nonce"),
    "nobody": ({"sub": None}, "neither"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_token_ends_nothing(case: str, provider, browser, channel):
    sign_in_with(provider, browser, sub="u-1", sid="s-1")
    changes, why = WRONG[case]
    answer = channel.post(ADDRESS, {"logout_token": provider.logout_token(**changes)})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert why in answer.json()["error_description"]
    assert is_signed_in(browser)


def test_an_id_token_is_no_logout_token(provider, browser, channel):
    sign_in_with(provider, browser, sub="u-1", sid="s-1")
    assert channel.post(ADDRESS, {"logout_token": provider.id_token()}).status_code == 400
    assert is_signed_in(browser)


def test_a_token_of_another_kind(provider, browser, channel):
    sign_in_with(provider, browser, sub="u-1", sid="s-1")
    claims = {"iss": provider.issuer, "aud": "portal", "iat": NOW, "exp": NOW + 300, "jti": "x", "sub": "u-1"}
    token = provider.sign(claims | {"events": {LOGOUT_EVENT: {}}}, typ="at+jwt")
    assert channel.post(ADDRESS, {"logout_token": token}).status_code == 400
    assert is_signed_in(browser)


def test_a_token_counts_once(provider, browser, channel):
    sign_in_with(provider, browser, sub="u-1")
    token = provider.logout_token()
    assert channel.post(ADDRESS, {"logout_token": token}).status_code == 200
    sign_in_with(provider, browser, sub="u-1")
    answer = channel.post(ADDRESS, {"logout_token": token})
    assert (answer.status_code, answer.json()["error_description"]) == (400, "it was used before")
    assert is_signed_in(browser)


@pytest.mark.parametrize("sent", [{}, {"logout_token": ""}, {"logout_token": "x.y.z"}, {"logout_token": "ü"}])
def test_nonsense(sent: dict[str, str], provider, channel):
    assert channel.post(ADDRESS, sent).status_code == 400


def test_only_a_post(provider, channel):
    assert channel.get(ADDRESS).status_code == 405
