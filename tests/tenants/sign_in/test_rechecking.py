"""What a provider's answers to a refresh mean, and what they do not."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from tenants.models import Membership, User
from tenants.sign_in import rechecking
from tenants.sign_in.models import ProviderSession
from tests.tenants.sign_in.conftest import is_signed_in, sign_in
from tests.tenants.sign_in.provider_double import ProviderDouble


@pytest.fixture
def provider(double: ProviderDouble, described, configure, acme) -> ProviderDouble:
    double.refresh_token = "r-1"
    configure(described)
    return double


@pytest.fixture
def carol(provider, browser) -> User:
    sign_in(browser, provider)
    provider.without = {"nonce"}  # a refresh has none
    return User.objects.get()


def check(minutes: int = 16) -> int:
    return rechecking.recheck_due(now=timezone.now() + timedelta(minutes=minutes))


def refreshes(provider: ProviderDouble) -> list[str]:
    return [sent["refresh_token"] for path, sent in provider.asked if path == "/token" and sent["grant_type"] == "refresh_token"]


def test_tokens_rotate(carol, provider):
    provider.refresh_token = "r-2"
    assert check() == 1
    check(minutes=32)
    assert refreshes(provider) == ["r-1", "r-2"]


def test_tokens_are_sealed(carol):
    session = ProviderSession.objects.get()
    assert "r-1" not in session.sealed_refresh_token
    assert not session.sealed_id_token.startswith("ey")


NOT_A_REMOVAL = {
    "away": (503, {"error": "temporarily_unavailable"}),
    "our secret is wrong": (401, {"error": "invalid_client"}),
    "nonsense": (200, ["?"]),
    "no reason": (400, {}),
}


@pytest.mark.parametrize("case", NOT_A_REMOVAL)
def test_what_goes_wrong_says_nothing_about_the_person(case: str, carol, provider, browser):
    provider.refusal = NOT_A_REMOVAL[case]
    assert check() == 1
    assert is_signed_in(browser)
    assert Membership.objects.get().lapsed_at is None
    provider.refusal = None
    assert check(minutes=22) == 1
    assert refreshes(provider) == ["r-1", "r-1"]


def test_a_provider_that_is_gone_says_nothing_either(carol, described, configure, browser):
    configure(described | {"issuer": "http://127.0.0.1:9"})
    assert check() == 1
    assert is_signed_in(browser)


def test_a_refusal_ends_the_session(carol, provider, browser):
    """Without offline access it may only mean that the provider's own session is over: what was given stays."""
    provider.refusal = (400, {"error": "invalid_grant"})
    check()
    assert not is_signed_in(browser)
    assert Membership.objects.get().lapsed_at is None


def test_a_token_of_somebody_else_ends_the_session(carol, provider, browser):
    provider.wrong = {"sub": "u-2"}
    check()
    assert not is_signed_in(browser)


def test_one_refusal_ends_one_session(carol, provider, browser, another_browser):
    provider.without = set()
    provider.refresh_token = "r-2"
    sign_in(another_browser, provider)
    provider.without = {"nonce"}
    first = ProviderSession.objects.order_by("pk")[0]
    provider.refusal = (400, {"error": "invalid_grant"})
    rechecking.recheck(first.pk, now=timezone.now())
    assert [is_signed_in(browser), is_signed_in(another_browser)] == [False, True]


def test_nobody_is_asked_for_after_signing_out(carol, provider, browser):
    browser.post("/accounts/logout/")
    check()
    assert refreshes(provider) == []
    assert not ProviderSession.objects.exists()


def test_two_workers_ask_once(carol, provider):
    now = timezone.now() + timedelta(minutes=16)
    [pk] = ProviderSession.objects.values_list("pk", flat=True)
    ProviderSession.objects.filter(pk=pk).update(due_at=now + rechecking.AGAIN_AFTER)  # the other one's claim
    assert rechecking.recheck_due(now=now) == 0
    assert refreshes(provider) == []


def test_without_a_refresh_token_the_session_is_short(double, described, configure, acme, browser):
    configure(described | {"session_hours": 4})
    sign_in(browser, double)
    assert ProviderSession.objects.get().due_at is None
    assert 4 * 3600 - 60 < browser.session.get_expiry_age() <= 4 * 3600
    with time_machine.travel(timezone.now() + timedelta(hours=3, minutes=50)):
        assert is_signed_in(browser)  # which renews it, but for no longer
    with time_machine.travel(timezone.now() + timedelta(hours=4, minutes=1)):
        assert not is_signed_in(browser)


def test_a_provider_that_was_taken_out_of_the_file_is_asked_no_more(carol, provider, configure):
    configure()
    check()
    assert not ProviderSession.objects.exists()


def test_a_file_that_cannot_be_used_says_nothing_of_anybody(carol, provider, described, configure, settings):
    settings.OIDC_PROVIDERS = '{"providers": 1}'
    check()
    assert ProviderSession.objects.count() == 1
    configure(described)
    assert check(minutes=32) == 1
    assert refreshes(provider) == ["r-1"]


def test_a_refresh_that_tells_no_claims_takes_nothing(carol, provider, described, configure):
    configure(described | {"userinfo": False})
    provider.gives_id_token = False
    assert check() == 1
    assert refreshes(provider) == ["r-1"]
    assert Membership.objects.get().role == "member"
