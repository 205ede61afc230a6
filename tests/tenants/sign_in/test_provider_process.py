"""Signing in by a real provider process: who comes in, what follows from its claims, and what ends it again."""

import hashlib
import re
from base64 import urlsafe_b64encode
from datetime import timedelta

import httpx
import pytest
from django.test import Client
from django.utils import timezone

from tenants.audit.models import AuditEvent
from tenants.models import Membership, Role, User
from tenants.sign_in import rechecking
from tenants.sign_in.models import ProviderSession
from tests import factories
from tests.tenants.sign_in.conftest import begin, is_signed_in, sign_in_by_mock
from tests.tenants.sign_in.provider_double import ProviderDouble

CAROL = {"email": "carol@acme.example", "email_verified": True, "name": "Carol Reed", "preferred_username": "carol"}


def roles_of(user: User) -> dict[str, str]:
    return {each.tenant.slug: each.role for each in user.memberships.select_related("tenant")}


def test_a_newcomer_comes_in_with_what_the_claims_give(mock, acme, bolt, browser):
    mock.person("u-carol", **CAROL, groups=["artists", "leads", "others"], studio=["bolt"])
    answer = sign_in_by_mock(browser, "u-carol")
    assert (answer.status_code, answer["Location"]) == (302, "/")
    carol = User.objects.get(username="carol")
    assert (carol.email, carol.get_full_name(), carol.has_usable_password()) == ("carol@acme.example", "Carol Reed", False)
    assert roles_of(carol) == {"acme": Role.ADMIN, "bolt": Role.VIEWER}
    assert set(carol.memberships.values_list("provider", flat=True)) == {"mock"}
    assert browser.get("/")["Location"] == "/acme/"
    event = AuditEvent.objects.get(kind="account.signed_in")
    assert (event.actor, event.details, event.address) == (carol, {"method": "provider", "provider": "mock"}, "127.0.0.1")
    assert AuditEvent.objects.filter(kind="member.added_by_provider", actor=None).count() == 2


def test_the_request_is_bound_to_the_browser(mock, browser):
    address, asked = begin(browser, "mock", scope="everything", auth_params="nonce=mine&prompt=none")
    assert address.startswith(f"{mock.issuer}/oauth2/authorize?")
    assert set(asked["scope"].split()) == {"openid", "profile", "email", "offline_access"}
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert asked["redirect_uri"] == "http://portal.localhost:8000/accounts/oidc/mock/login/callback/"
    assert asked["nonce"] != "mine"
    assert len(asked["nonce"]) >= 32
    assert "prompt" not in asked
    assert begin(browser, "mock")[1]["nonce"] != asked["nonce"]


def test_the_code_is_redeemed_with_the_verifier(double: ProviderDouble, described, configure, acme, browser):
    configure(described)
    _address, asked = begin(browser, "double")
    double.nonce = asked["nonce"]
    browser.get("/accounts/oidc/double/login/callback/", {"code": "c", "state": asked["state"]})
    [verifier] = double.verifiers
    assert urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode() == asked["code_challenge"]


def test_the_visitor_goes_back_to_where_they_came_from(mock, acme, browser):
    mock.person("u-carol", **CAROL, groups=["artists"])
    assert sign_in_by_mock(browser, "u-carol", next="/acme/data/")["Location"] == "/acme/data/"


def test_nobody_is_led_elsewhere(mock, acme, browser):
    mock.person("u-carol", **CAROL, groups=["artists"])
    assert sign_in_by_mock(browser, "u-carol", next="https://evil.example/")["Location"] == "/"


def test_somebody_without_a_group_gets_no_account(mock, acme, browser):
    mock.person("u-dora", email="dora@acme.example", email_verified=True, groups=["others"])
    answer = sign_in_by_mock(browser, "u-dora")
    assert answer.status_code == 403
    assert not User.objects.exists()
    assert not is_signed_in(browser)
    event = AuditEvent.objects.get(kind="account.sign_in_failed")
    assert event.details == {"method": "provider", "provider": "mock", "why": "unknown_person"}


def test_what_the_claims_say_is_applied_at_each_sign_in(mock, acme, bolt, browser):
    mock.person("u-carol", **CAROL, groups=["artists"], studio=["bolt"])
    sign_in_by_mock(browser, "u-carol")
    carol = User.objects.get(username="carol")
    mock.person("u-carol", **CAROL, groups=["leads"])
    sign_in_by_mock(browser, "u-carol")
    assert roles_of(carol) == {"acme": Role.ADMIN}
    assert AuditEvent.objects.get(kind="member.role_changed").details == {"provider": "mock", "from": "member", "to": "admin"}
    assert AuditEvent.objects.get(kind="member.removed_by_provider").tenant == bolt


def test_what_was_given_by_hand_stays(mock, acme, bolt, browser):
    mock.person("u-carol", **CAROL, groups=["artists"])
    sign_in_by_mock(browser, "u-carol")
    carol = User.objects.get(username="carol")
    factories.join(carol, bolt, Role.FINANCE)
    mock.person("u-carol", **CAROL, groups=["artists"], studio=["bolt"])
    sign_in_by_mock(browser, "u-carol")
    assert roles_of(carol) == {"acme": Role.MEMBER, "bolt": Role.FINANCE}
    mock.person("u-carol", **CAROL, groups=["artists"])
    sign_in_by_mock(browser, "u-carol")
    assert roles_of(carol) == {"acme": Role.MEMBER, "bolt": Role.FINANCE}


def test_the_last_owner_stays(mock, acme, browser):
    mock.person("u-carol", **CAROL, groups=["bosses"])
    sign_in_by_mock(browser, "u-carol")
    carol = User.objects.get(username="carol")
    mock.person("u-carol", **CAROL, groups=[])
    sign_in_by_mock(browser, "u-carol")
    assert roles_of(carol) == {"acme": Role.OWNER}
    factories.join(factories.make_user("anna"), acme, Role.OWNER)
    sign_in_by_mock(browser, "u-carol")
    assert roles_of(carol) == {}


class TestAskingAgain:
    """`recheck_due`, which beat has done every minute."""

    @pytest.fixture
    def carol(self, mock, acme, browser) -> User:
        mock.person("u-carol", **CAROL, groups=["artists"])
        sign_in_by_mock(browser, "u-carol")
        return User.objects.get(username="carol")

    def soon(self, minutes: int = 16):
        return timezone.now() + timedelta(minutes=minutes)

    def test_nobody_is_asked_for_too_early(self, carol):
        assert rechecking.recheck_due(now=self.soon(minutes=14)) == 0

    def test_whoever_is_still_there_stays(self, carol, browser):
        assert rechecking.recheck_due(now=self.soon()) == 1
        assert is_signed_in(browser)
        assert roles_of(carol) == {"acme": Role.MEMBER}
        assert rechecking.recheck_due(now=self.soon()) == 0
        assert rechecking.recheck_due(now=self.soon(minutes=32)) == 1

    def test_changed_claims_count_at_the_next_check(self, mock, carol, browser):
        mock.person("u-carol", **CAROL, groups=["leads"])
        rechecking.recheck_due(now=self.soon())
        assert roles_of(carol) == {"acme": Role.ADMIN}
        assert is_signed_in(browser)

    def test_whoever_was_removed_loses_everything_the_provider_gave(self, mock, bolt, carol, browser):
        factories.join(carol, bolt)
        mock.remove("u-carol")
        rechecking.recheck_due(now=self.soon())
        assert not is_signed_in(browser)
        lapsed = carol.memberships.get(tenant__slug="acme")
        assert lapsed.lapsed_at is not None
        assert lapsed.role == Role.MEMBER
        assert not ProviderSession.objects.exists()
        kinds = set(AuditEvent.objects.values_list("kind", flat=True))
        assert {"member.lapsed", "account.sessions_ended"} <= kinds
        browser.force_login(carol, backend="allauth.account.auth_backends.AuthenticationBackend")
        assert browser.get("/acme/").status_code == 404
        assert browser.get("/bolt/").status_code == 200

    def test_a_lapsed_membership_is_back_with_the_next_sign_in(self, mock, carol, browser):
        mock.remove("u-carol")
        rechecking.recheck_due(now=self.soon())
        sign_in_by_mock(browser, "u-carol")
        assert Membership.objects.get(user=carol).lapsed_at is None
        assert browser.get("/acme/").status_code == 200

    def test_it_is_asked_again_after_the_session_is_over(self, mock, carol, browser):
        """What else stands on the membership, API tokens above all, must not outlive the person either."""
        browser.post("/accounts/logout/")
        assert rechecking.recheck_due(now=self.soon()) == 1
        assert Membership.objects.get(user=carol).lapsed_at is None
        mock.remove("u-carol")
        assert rechecking.recheck_due(now=self.soon(minutes=32)) == 1
        assert Membership.objects.get(user=carol).lapsed_at is not None


def test_signing_out_leads_to_the_provider_and_back(mock, acme, browser):
    mock.person("u-carol", **CAROL, groups=["artists"])
    sign_in_by_mock(browser, "u-carol")
    answer = browser.post("/accounts/logout/")
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/signed-out/")
    assert not is_signed_in(browser)
    page = browser.get("/accounts/signed-out/")
    address = page.context["address"]
    assert address.startswith(f"{mock.issuer}/oauth2/end_session?")
    assert "id_token_hint=ey" in address
    there = httpx.get(address)
    assert there.status_code == 200
    back = re.search(r'name="redirect_uri"[^>]*value="([^"]+)"|value="([^"]+)"[^>]*name="redirect_uri"', there.text)
    assert back
    assert "http://portal.localhost:8000/accounts/login/" in back.groups()
    assert browser.get("/accounts/signed-out/")["Location"] == "/accounts/login/"


def test_signing_out_of_a_password_session_leads_nowhere(browser: Client, alice: User):
    browser.force_login(alice, backend="allauth.account.auth_backends.AuthenticationBackend")
    browser.post("/accounts/logout/")
    assert browser.get("/accounts/signed-out/")["Location"] == "/accounts/login/"
