"""Authenticator apps and recovery codes; passkeys are tried in a browser (tests/e2e/test_passkeys.py)."""

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.core.management import call_command
from django.test import Client

from tenants.audit.models import AuditEvent
from tenants.models import User
from tenants.sign_in.factors import has_second_factor
from tests.tenants.sign_in.conftest import PASSWORD, is_signed_in


def code_of(secret: str) -> str:
    return format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time())))


@pytest.fixture
def secret(signed_in: Client) -> str:
    """Of the authenticator app that Alice has just set up."""
    page = signed_in.get("/accounts/2fa/totp/activate/")
    secret = page.context["form"].secret
    answer = signed_in.post("/accounts/2fa/totp/activate/", {"code": code_of(secret)})
    assert answer.status_code == 302
    return str(secret)


def recovery_codes(user: User) -> list[str]:
    return list(Authenticator.objects.get(user=user, type="recovery_codes").wrap().get_unused_codes())


@pytest.mark.django_db(transaction=True)  # allauth tells of it when it is durable
def test_an_app_is_a_second_factor(signed_in, alice, secret):
    assert has_second_factor(alice)
    kinds = list(AuditEvent.objects.filter(kind__startswith="account.").values_list("kind", "details"))
    assert ("account.factor_added", {"factor": "authenticator app"}) in kinds


def test_recovery_codes_alone_are_none(alice):
    assert not has_second_factor(alice)
    Authenticator.objects.create(user=alice, type="recovery_codes", data={"seed": "x", "used_mask": 0})
    assert not has_second_factor(alice)


def test_the_secrets_are_sealed_and_sealed_anew(secret, alice, settings):
    def sealed() -> set[str]:
        return {value for row in Authenticator.objects.all() for value in row.data.values() if isinstance(value, str)}

    before = sealed()
    assert len(before) == 2
    assert not any(secret in value for value in before)
    codes = recovery_codes(alice)
    settings.ENCRYPTION_KEYS = ["k" * 40, *settings.ENCRYPTION_KEYS]
    call_command("rotate_secrets", verbosity=0)
    settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS[:1]
    assert sealed().isdisjoint(before)
    assert recovery_codes(alice) == codes
    assert Authenticator.objects.get(type="totp").wrap().validate_code(code_of(secret))


def test_the_code_is_asked_for(secret, alice, another_browser):
    answer = another_browser.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    assert answer["Location"] == "/accounts/2fa/authenticate/"
    assert not is_signed_in(another_browser)
    wrong = another_browser.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert b"Incorrect code" in wrong.content
    event = AuditEvent.objects.get(kind="account.sign_in_failed")
    assert (event.subject_name, event.details) == ("alice", {"method": "code", "why": "wrong code"})
    another_browser.post("/accounts/2fa/authenticate/", {"code": recovery_codes(alice)[0]})
    assert is_signed_in(another_browser)
    assert AuditEvent.objects.filter(kind="account.signed_in").latest("pk").details == {"method": "password"}


def test_a_recovery_code_counts_once(secret, alice, browser, another_browser):
    code = recovery_codes(alice)[0]
    for expected in (True, False):
        another_browser.logout()
        another_browser.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
        another_browser.post("/accounts/2fa/authenticate/", {"code": code})
        assert is_signed_in(another_browser) == expected


def test_codes_are_not_guessed(secret, another_browser):
    another_browser.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    for _ in range(5):
        another_browser.post("/accounts/2fa/authenticate/", {"code": "000000"})
    answer = another_browser.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})
    assert b"Too many failed login attempts" in answer.content
    assert not is_signed_in(another_browser)


def test_taking_it_away_asks_who_is_there(secret, alice, another_browser):
    another_browser.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    another_browser.post("/accounts/2fa/authenticate/", {"code": recovery_codes(alice)[0]})
    answer = another_browser.post("/accounts/2fa/totp/deactivate/")
    assert "/reauthenticate/" in answer["Location"]
    assert has_second_factor(alice)


def test_taking_it_away(secret, alice, signed_in):
    signed_in.post("/accounts/2fa/totp/deactivate/")
    assert not Authenticator.objects.exists()
    event = AuditEvent.objects.get(kind="account.factor_removed")
    assert (event.actor, event.details) == (alice, {"factor": "authenticator app"})
