"""Tokens that are wrong in one way each sign nobody in; keys rotate; a provider may be away."""

import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from tenants.audit.models import AuditEvent
from tenants.models import User
from tenants.sign_in.discovery import LOOKS_PER_MINUTE
from tests.tenants.sign_in.conftest import begin, come_back, is_signed_in, sign_in
from tests.tenants.sign_in.provider_double import Key, ProviderDouble


@pytest.fixture
def provider(double: ProviderDouble, described, configure, acme) -> ProviderDouble:
    configure(described)
    return double


def refused(browser, answer: Any, why: str) -> None:
    """Nobody came in, nothing was made, and the log says why; the page does not."""
    assert answer.status_code == 401
    assert b"That sign-in did not work" in answer.content
    assert not is_signed_in(browser)
    assert not User.objects.exists()
    event = AuditEvent.objects.get(kind="account.sign_in_failed")
    assert why in event.details["why"]
    assert why.encode() not in answer.content


def test_a_good_token_signs_in(provider, browser):
    assert sign_in(browser, provider).status_code == 302
    assert is_signed_in(browser)


NOW = int(time.time())
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "issuer": ({"iss": "https://evil.example"}, "Invalid issuer"),
    "issuer with a slash more": ({"iss": "{issuer}/"}, "Invalid issuer"),
    "audience": ({"aud": "another-client"}, "Audience doesn't match"),
    "audience and another client's party": ({"aud": ["portal", "another"], "azp": "another"}, "another client"),
    "several audiences and no party": ({"aud": ["portal", "another"]}, "another client"),
    "expired": ({"exp": NOW - 120}, "expired"),
    "from the future": ({"iat": NOW + 3600}, "not yet valid"),
    "nonce": ({"nonce": "of another sign-in"}, "nonce is not"),
    "no nonce": ({"nonce": ""}, "nonce is not"),
    "nobody": ({"sub": ""}, "names nobody"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_claim(case: str, provider, browser):
    wrong, why = WRONG[case]
    filled = {name: value.format(issuer=provider.issuer) for name, value in wrong.items() if isinstance(value, str)}
    provider.wrong = wrong | filled
    refused(browser, sign_in(browser, provider), why)


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp", "iat", "nonce"])
def test_a_missing_claim(name: str, provider, browser):
    provider.without = {name}
    refused(browser, sign_in(browser, provider), "nonce is not" if name == "nonce" else f'missing the "{name}" claim')


def test_a_token_that_is_replayed_in_another_sign_in(provider, browser, another_browser):
    sign_in(another_browser, provider)
    User.objects.all().update(is_active=False)
    before = provider.nonce
    _address, asked = begin(browser, "double")
    provider.nonce = before
    assert b"did not work" in come_back(browser, "double", code="c", state=asked["state"]).content
    assert not is_signed_in(browser)


def test_a_signature_by_another_key_of_the_same_name(provider, browser):
    provider.signing_key = generate_private_key(public_exponent=65537, key_size=2048)
    refused(browser, sign_in(browser, provider), "Signature verification failed")


def test_no_signature(provider, browser):
    provider.algorithm, provider.signing_key = "none", None
    refused(browser, sign_in(browser, provider), "not among the algorithms")


def test_a_signature_by_the_public_key_as_a_password(provider, browser):
    """The classic confusion: HS256 with what everybody knows."""
    provider.algorithm, provider.signing_key = "HS256", "known to everybody".ljust(32)
    refused(browser, sign_in(browser, provider), "not among the algorithms")


def test_no_token_at_all(provider, browser):
    provider.wrong, provider.signing_key = {}, None
    provider.id_token = lambda: ""  # type: ignore[method-assign]
    refused(browser, sign_in(browser, provider), "Not enough segments")


def test_userinfo_of_somebody_else(provider, browser):
    provider.userinfo = {"sub": "u-2", "email": "boss@acme.example", "email_verified": True}
    refused(browser, sign_in(browser, provider), "another person")


def test_userinfo_cannot_replace_what_the_token_says(provider, browser, acme):
    provider.userinfo = provider.claims | {"iss": "https://evil.example", "aud": "x", "nonce": "x", "groups": ["leads"]}
    sign_in(browser, provider)
    [account] = User.objects.get().socialaccount_set.all()
    assert (account.extra_data["iss"], account.extra_data["aud"]) == (provider.issuer, "portal")
    assert acme.memberships.get().role == "admin"


def test_a_discovery_document_of_another_issuer(provider, browser):
    provider.document = {"issuer": "https://evil.example"}
    answer = browser.post("/accounts/oidc/double/login/")
    refused(browser, answer, "of the issuer https://evil.example")


@pytest.mark.parametrize("endpoint", ["token_endpoint", "jwks_uri", "authorization_endpoint"])
def test_an_endpoint_without_tls(endpoint: str, provider, browser):
    provider.document = {endpoint: "http://id.example.com/x"}
    refused(browser, browser.post("/accounts/oidc/double/login/"), endpoint)


def test_keys_rotate_between_two_sign_ins(provider, browser, another_browser):
    sign_in(browser, provider)
    provider.keys = [Key("two"), *provider.keys]
    assert sign_in(another_browser, provider).status_code == 302
    assert provider.asked_for("/jwks") == 2
    sign_in(another_browser, provider)
    assert provider.asked_for("/jwks") == 2


def test_a_key_that_is_not_published_any_more(provider, browser):
    provider.keys[0].published = False
    refused(browser, sign_in(browser, provider), "does not publish")


def test_a_token_without_a_key_id_is_fine_where_there_is_one_key(provider, browser):
    provider.headers = {"kid": None}
    assert sign_in(browser, provider).status_code == 302


def test_made_up_keys_do_not_make_us_ask_for_ever(provider, browser):
    sign_in(browser, provider)
    for number in range(LOOKS_PER_MINUTE + 5):
        token = provider.sign({}, kid=f"made-up-{number}")
        assert browser.post("/accounts/oidc/double/back-channel-logout/", {"logout_token": token}).status_code == 400
    assert provider.asked_for("/jwks") == 1 + LOOKS_PER_MINUTE


def test_a_stranger_s_state(provider, browser, another_browser):
    """Somebody who is sent to our callback by another person's sign-in does not come in as them."""
    _address, asked = begin(another_browser, "double")
    provider.nonce = asked["nonce"]
    refused(browser, come_back(browser, "double", code="c", state=asked["state"]), "unknown")


def test_a_state_counts_once(provider, browser):
    _address, asked = begin(browser, "double")
    provider.nonce = asked["nonce"]
    assert come_back(browser, "double", code="c", state=asked["state"]).status_code == 302
    assert b"did not work" in come_back(browser, "double", code="c", state=asked["state"]).content


def test_a_provider_that_is_away(provider, described, configure, browser):
    configure(described | {"issuer": "http://127.0.0.1:9"})
    refused(browser, browser.post("/accounts/oidc/double/login/"), "127.0.0.1")


def test_a_provider_that_goes_away_in_between(provider, browser):
    _address, asked = begin(browser, "double")
    provider.refusal = (503, {"error": "temporarily_unavailable"})
    refused(browser, come_back(browser, "double", code="c", state=asked["state"]), "access token")


def test_somebody_who_changed_their_mind(provider, browser):
    _address, asked = begin(browser, "double")
    answer = come_back(browser, "double", error="access_denied", state=asked["state"])
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/3rdparty/login/cancelled/")
    assert b"You cancelled the sign-in" in browser.get(answer["Location"]).content


@pytest.mark.parametrize("path", ["login/", "login/callback/", "back-channel-logout/"])
def test_a_provider_that_is_not_there(path: str, provider, browser):
    assert browser.post(f"/accounts/oidc/nobody/{path}").status_code == 404


def test_a_link_asks_before_it_leads_away(provider, browser):
    page = browser.get("/accounts/oidc/double/login/")
    assert page.status_code == 200
    assert b"Sign in with Double" in page.content
    assert provider.asked == []
