"""Whose account somebody's is who comes by a provider."""

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.core import mail
from django.utils import timezone

from tenants.audit.models import AuditEvent
from tenants.invitations.models import Invitation
from tenants.models import User
from tests import factories
from tests.tenants.sign_in.conftest import is_signed_in, sign_in

CAROL = "carol@acme.example"


@pytest.fixture
def provider(double, described, configure, acme):
    configure(described)
    return double


@pytest.fixture
def carol(db: None) -> User:
    user = factories.make_user("carol")
    user.email = CAROL
    user.set_password("a-long-secret")
    user.save()
    return user


def test_a_trusted_provider_leads_into_the_account_with_the_verified_address(carol, provider, described, configure, browser):
    configure(described | {"link_by_email": True})
    sign_in(browser, provider)
    assert User.objects.get() == carol
    assert SocialAccount.objects.get().user == carol
    carol.refresh_from_db()
    assert carol.check_password("a-long-secret")


def test_no_provider_leads_into_an_operators_account(carol, provider, described, configure, browser):
    carol.is_staff = True
    carol.save()
    configure(described | {"link_by_email": True})
    assert sign_in(browser, provider).status_code == 403
    assert not is_signed_in(browser)
    assert not SocialAccount.objects.exists()


def test_any_other_provider_does_not(carol, provider, browser):
    answer = sign_in(browser, provider)
    assert answer.status_code == 403
    assert b"There is an account with your address already" in answer.content
    assert not is_signed_in(browser)
    assert not SocialAccount.objects.exists()
    assert AuditEvent.objects.get(kind="account.sign_in_failed").details["why"] == "address_taken"


def test_an_address_that_the_provider_did_not_verify_links_nothing(carol, provider, described, configure, browser):
    configure(described | {"link_by_email": True, "new_accounts": "all"})
    provider.claims = {"sub": "u-1", "email": CAROL, "email_verified": False}
    sign_in(browser, provider)
    assert not is_signed_in(browser)
    assert not SocialAccount.objects.exists()
    assert User.objects.get() == carol


def test_an_address_that_the_account_did_not_verify_links_nothing(carol, provider, described, configure, browser):
    """Else whoever claims somebody's address first would share an account with them."""
    EmailAddress.objects.create(user=carol, email=CAROL, verified=False, primary=True)
    configure(described | {"link_by_email": True})
    assert sign_in(browser, provider).status_code == 403
    assert not SocialAccount.objects.exists()


def test_domains_that_an_operator_vouches_for_count_as_verified(provider, described, configure, browser):
    """Microsoft Entra ID says nothing about addresses."""
    provider.claims = {"sub": "u-1", "email": CAROL}
    assert sign_in(browser, provider).status_code == 403
    configure(described | {"verified_domains": ["acme.example"]})
    assert sign_in(browser, provider).status_code == 302
    assert EmailAddress.objects.get().verified


def test_a_newcomer_with_an_unverified_address_verifies_it_first(provider, described, configure, browser):
    configure(described | {"new_accounts": "all"})
    provider.claims = {"sub": "u-1", "email": CAROL, "email_verified": False}
    answer = sign_in(browser, provider)
    assert answer["Location"] == "/accounts/confirm-email/"
    assert not is_signed_in(browser)
    [message] = mail.outbox
    assert message.to == [CAROL]


@pytest.mark.parametrize("new_accounts", ["mapped", "invited"])
def test_who_is_invited_gets_an_account_and_nobody_else(new_accounts, provider, described, configure, browser, acme):
    configure(described | {"new_accounts": new_accounts, "grants": []})
    assert sign_in(browser, provider).status_code == 403
    invitation = factories.invite(acme, CAROL.title(), expires_at=timezone.now() - timedelta(seconds=1))
    assert sign_in(browser, provider).status_code == 403
    Invitation.objects.update(expires_at=timezone.now() + timedelta(days=1))
    provider.claims = {"sub": "u-1", "email": CAROL, "email_verified": False}
    assert sign_in(browser, provider).status_code == 403
    assert not User.objects.filter(email__iexact=CAROL).exists()
    provider.claims = {"sub": "u-1", "email": CAROL, "email_verified": True}
    sign_in(browser, provider)
    assert is_signed_in(browser)
    assert browser.post(f"/invitations/mine/{invitation.slug}/")["Location"] == "/acme/"
    assert User.objects.get(email=CAROL).memberships.get().tenant == acme


def test_a_name_that_is_somebody_s_address_is_not_taken(provider, acme, browser):
    provider.claims |= {"preferred_username": "anna@example.org"}
    sign_in(browser, provider)
    assert User.objects.get().username == "anna"


def test_a_name_that_is_taken_becomes_another(provider, acme, browser):
    factories.make_user("anna")
    provider.claims |= {"preferred_username": "Anna"}
    sign_in(browser, provider)
    assert User.objects.exclude(username="anna").get().username != ""
    assert User.objects.filter(username__iexact="anna").count() == 1


def test_an_inactive_person_stays_out(provider, browser):
    sign_in(browser, provider)
    User.objects.update(is_active=False)
    browser.logout()
    assert sign_in(browser, provider)["Location"] == "/accounts/inactive/"


def test_a_provider_is_connected_in_the_account_itself(carol, provider, browser):
    browser.post("/accounts/login/", {"login": "carol", "password": "a-long-secret"})
    assert sign_in(browser, provider, process="connect")["Location"] == "/accounts/reauthenticate/"
    assert not SocialAccount.objects.exists()
    answer = browser.post("/accounts/reauthenticate/", {"password": "a-long-secret"})
    assert answer["Location"] == "/accounts/3rdparty/"
    assert SocialAccount.objects.get().user == carol
    assert AuditEvent.objects.get(kind="account.provider_connected").details == {"provider": "double"}
    browser.logout()
    sign_in(browser, provider)
    assert User.objects.get() == carol
    assert is_signed_in(browser)
    account = SocialAccount.objects.get()
    browser.post("/accounts/login/", {"login": "carol", "password": "a-long-secret"})
    browser.post("/accounts/3rdparty/", {"account": account.pk})
    browser.post("/accounts/reauthenticate/", {"password": "a-long-secret"})
    browser.post("/accounts/3rdparty/", {"account": account.pk})
    assert not SocialAccount.objects.exists()


def test_a_connection_is_not_begun_by_a_link(carol, provider, browser):
    """Else a page of somebody else's could connect the account that it signed the visitor in to."""
    browser.force_login(carol, backend="allauth.account.auth_backends.AuthenticationBackend")
    browser.get("/accounts/oidc/double/login/?process=connect")
    assert provider.asked == []
