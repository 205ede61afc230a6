"""What the link in the mail leads to, for everybody who may open it."""

import re

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.test import Client
from django.utils import timezone

from tenants.audit.models import AuditEvent
from tenants.invitations.models import Invitation
from tenants.invitations.tokens import token_of
from tenants.models import Membership, Role, Tenant, User
from tenants.team.operations_invitations import invite
from tests import factories

ACCOUNT = {"username": "carol", "password1": "a-long-secret", "password2": "a-long-secret"}


@pytest.fixture
def invitation(anna_in_acme):
    return invite(address="Carol@example.org", role=Role.MEMBER, by=anna_in_acme)


@pytest.fixture
def link(invitation):
    return f"/invitations/{token_of(invitation.issue)}/"


@pytest.fixture
def browser():
    return Client(HTTP_HOST="portal.localhost:8000")


def text(answer):
    return " ".join(answer.content.decode().split())


def people():
    return (User.objects.count(), Membership.objects.count(), Invitation.objects.exclude(accepted_at=None).count())


def test_looking_changes_nothing_and_nobody_keeps_it(browser, link):
    before = people()
    for method in (browser.get, browser.head):
        answer = method(link)
        assert answer.status_code == 200
        assert "no-store" in answer["Cache-Control"]
        assert answer["Referrer-Policy"] == "same-origin"
    assert browser.get(f"{link}accept/").status_code == browser.get(f"{link}account/").status_code == 405
    assert people() == before


def test_a_new_person_makes_an_account_is_signed_in_and_lands_in_the_tenant(browser, link):
    page = text(browser.get(link))
    assert "anna invites you as <strong>member</strong>." in page
    assert re.search(r'type="email" value="Carol@example.org" readonly', page)
    answer = browser.post(f"{link}account/", ACCOUNT)
    assert (answer.status_code, answer["Location"]) == (302, "/acme/")
    assert "Welcome to Acme Studio." in text(browser.get("/acme/"))
    assert browser.get(link).status_code == 410


def test_a_new_person_begins_with_a_session_that_is_written_down(browser, link):
    browser.post(f"{link}account/", ACCOUNT)
    carol = User.objects.get(username="carol")
    events = AuditEvent.objects.filter(actor=carol).order_by("pk").values_list("kind", "details")
    assert list(events)[-1] == ("account.signed_in", {"method": "password"})
    assert UserSession.objects.filter(user=carol).count() == 1


def test_without_local_accounts_only_the_organisations_sign_in_leads_in(browser, link, settings):
    settings.LOCAL_SIGN_IN = False
    page = text(browser.get(link))
    assert "Sign in with the account of your organisation that has Carol@example.org to join." in page
    assert 'name="username"' not in page
    assert browser.post(f"{link}account/", ACCOUNT).status_code == 422
    assert not User.objects.filter(username="carol").exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"username": "ANNA"}, "already exists"),
        ({"username": "not a name"}, "Enter a valid username"),
        ({"password1": "short", "password2": "short"}, "too short"),
        ({"password1": "carol@example.org", "password2": "carol@example.org"}, "too similar"),
        ({"password2": "another-long-one"}, "The passwords are not the same."),
        ({"username": ""}, "This field is required."),
    ],
)
def test_a_refused_account_says_why_and_the_invitation_waits(changes, sentence, browser, link):
    before = people()
    answer = browser.post(f"{link}account/", ACCOUNT | changes)
    assert (answer.status_code, sentence in text(answer)) == (422, True)
    assert people() == before


def test_the_address_cannot_be_another(browser, link):
    browser.post(f"{link}account/", ACCOUNT | {"email": "mallory@example.org", "address": "mallory@example.org"})
    assert User.objects.get(username="carol").email == "Carol@example.org"


def test_whose_address_has_an_account_signs_in_and_comes_back(browser, link):
    carol = factories.make_user("carol")
    carol.set_password("a-long-secret")
    carol.save()
    page = text(browser.get(link))
    assert "There is an account for Carol@example.org." in page
    [address] = re.findall(r'href="(/accounts/login/[^"]+)"', page)
    assert browser.post(f"{link}account/", ACCOUNT | {"username": "other"}).status_code == 422
    assert browser.post(f"{link}accept/")["Location"].startswith("/accounts/login/")
    answer = browser.post(address, {"login": "carol", "password": "a-long-secret"})
    assert (answer.status_code, answer["Location"]) == (302, link)
    assert "You are signed in as <strong>carol</strong>." in text(browser.get(link))
    assert browser.post(f"{link}accept/")["Location"] == "/acme/"
    assert Membership.objects.get(user=carol).role == "member"


def test_who_is_signed_in_with_another_address_is_told_so(client, link, bob):
    client.force_login(bob)
    before = people()
    for answer in (client.get(link), client.post(f"{link}accept/")):
        page = text(answer)
        assert (
            "You are signed in as <strong>bob</strong> (bob@example.org), and this invitation is for Carol@example.org." in page
        )
        assert f'name="next" value="{link}"' in page
    assert client.post(f"{link}account/", ACCOUNT).status_code == 422
    assert people() == before


OVER = {
    "used": lambda: Invitation.objects.update(accepted_at=timezone.now()),
    "taken back": lambda: Invitation.objects.update(revoked_at=timezone.now()),
    "run out": lambda: Invitation.objects.update(expires_at=timezone.now()),
    "replaced": lambda: Invitation.objects.update(token_digest="x"),
    "never there": lambda: Invitation.objects.all().delete(),
    "of a tenant that is gone": lambda: Tenant.objects.update(deletion_due_at=timezone.now(), deleted_at=timezone.now()),
}


@pytest.mark.parametrize("end", OVER.values(), ids=OVER)
def test_what_is_over_says_the_same_whatever_ended_it(end, browser, link, anna, client):
    client.force_login(anna)
    end()
    pages = [each.get(link) for each in (browser, client)]
    pages += [client.post(f"{link}accept/"), browser.post(f"{link}account/", ACCOUNT)]
    for page in pages:
        assert page.status_code == 410
        assert "This invitation is over" in text(page)
        assert "Acme Studio" not in text(page).partition("<main")[2]
        assert "carol" not in text(page).lower()
    assert not User.objects.filter(username="carol").exists()


def test_a_tenant_that_stands_still_takes_nobody_in(browser, link):
    Tenant.objects.update(suspended_at=timezone.now())
    assert "Acme Studio takes in nobody at the moment." in text(browser.get(link))
    assert browser.post(f"{link}account/", ACCOUNT).status_code == 422
    assert not User.objects.filter(username="carol").exists()


def test_who_belongs_to_no_tenant_finds_invitations_to_proved_addresses(client, invitation):
    carol = factories.make_user("carol")
    client.force_login(carol)
    assert "not a member of a tenant yet" in text(client.get("/"))
    EmailAddress.objects.create(user=carol, email="carol@example.org", verified=True)
    page = text(client.get("/"))
    assert "You are invited" in page
    assert f'action="/invitations/mine/{invitation.slug}/"' in page
    assert client.post(f"/invitations/mine/{invitation.slug}/")["Location"] == "/acme/"
    assert client.get("/")["Location"] == "/acme/"


def test_an_invitation_is_not_there_for_others(client, bob, invitation):
    client.force_login(bob)
    assert client.post(f"/invitations/mine/{invitation.slug}/").status_code == 404
    assert client.post("/invitations/mine/zzzzzzzzzz/").status_code == 422


def test_a_member_for_whom_their_provider_vouches_no_more_is_told_to_sign_in_with_it(browser, link, acme):
    carol = factories.make_user("carol")
    Membership.objects.create(user=carol, tenant=acme, provider="sso", lapsed_at=timezone.now())
    browser.force_login(carol)
    before = people()
    for answer, status in ((browser.get(link), 200), (browser.post(f"{link}accept/"), 422)):
        assert answer.status_code == status
        assert "You belong to Acme Studio by your organisation’s sign-in, which vouches for you no more." in text(answer)
    assert people() == before


def test_the_team_sees_which_invitation_has_to_be_sent_again(browser, acme, anna):
    factories.invite(acme, "carol@example.org", invited_by=factories.make_user("gone"))
    browser.force_login(anna)
    assert "to be sent again" in text(browser.get("/acme/team/"))
