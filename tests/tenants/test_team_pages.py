"""The pages of a team: what each role is shown, what buttons do, and how refusals are said."""

import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.test import Client
from django.utils import timezone

from tenants.invitations.models import Invitation
from tenants.models import Membership, Role, Tenant
from tenants.team.queries import members_of
from tests import factories

HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def as_anna(anna, client):
    client.force_login(anna)
    return client


@pytest.fixture
def as_alice(alice):
    client = Client()
    client.force_login(alice)
    return client


def text(answer):
    return " ".join(answer.content.decode().split())


def test_everybody_sees_members_and_what_roles_mean_and_no_more(anna, as_alice, acme):
    factories.invite(acme, "carol@example.org")
    page = text(as_alice.get("/acme/team/"))
    assert "<strong>anna</strong>" in page
    assert "Launches engines and works with them and their data." in page
    assert "Leave the team" in page
    for hidden in ("anna@example.org", "carol@example.org", "Last seen", "Signs in by", "/role/", "/remove/", "Invite"):
        assert hidden not in page


def test_an_admin_sees_how_people_come_in_and_who_is_invited(acme, anna, alice, alice_in_acme):
    alice.set_password("a-long-secret")
    alice.save()
    factories.invite(acme, "carol@example.org", invited_by=anna)
    factories.invite(acme, "late@example.org", expires_at=timezone.now())
    factories.invite(acme, "boss@example.org", Role.OWNER)
    adam, client = factories.make_user("adam"), Client()
    factories.join(adam, acme, Role.ADMIN)
    client.force_login(adam)
    page = text(client.get("/acme/team/"))
    assert "alice@example.org" in page
    assert "Password" in page
    assert page.count('aria-label="Take back') == 2  # not the owner's
    assert page.count("expired") == 1
    owner, member = Membership.objects.get(user=anna).pk, alice_in_acme.pk
    assert f"/acme/team/members/{member}/remove/" in page
    assert f"/acme/team/members/{owner}/" not in page
    assert "Settings" not in page


def test_how_people_sign_in_takes_as_many_queries_for_many(as_anna, acme, alice, django_assert_num_queries):
    SocialAccount.objects.create(user=alice, provider="old-sso", uid="1")
    Authenticator.objects.create(user=alice, type=Authenticator.Type.TOTP, data={})
    Authenticator.objects.create(user=alice, type=Authenticator.Type.RECOVERY_CODES, data={})
    Membership.objects.filter(user=alice).update(provider="old-sso", lapsed_at=timezone.now())
    page = text(as_anna.get("/acme/team/"))
    assert "old-sso, Authenticator app" in page
    assert ("by old-sso" in page, "must sign in again" in page) == (True, True)
    reader = Membership.objects.select_related("tenant").get(user__username="anna")
    for number in range(5):
        factories.join(factories.make_user(f"person{number}"), acme)
    with django_assert_num_queries(3):
        assert len(members_of(reader)) == 7


def test_when_somebody_was_there_is_seen_to_a_few_minutes(as_anna, as_alice, alice_in_acme, time_machine):
    time_machine.move_to("2026-11-26T10:00:00Z", tick=False)
    as_alice.get("/acme/")
    alice_in_acme.refresh_from_db()
    first = alice_in_acme.last_seen_at
    time_machine.shift(299)
    as_alice.get("/acme/")
    alice_in_acme.refresh_from_db()
    assert alice_in_acme.last_seen_at == first
    time_machine.shift(1)
    as_alice.get("/acme/data/")
    alice_in_acme.refresh_from_db()
    assert (alice_in_acme.last_seen_at - first).total_seconds() == 300


@pytest.mark.parametrize("dialog", [True, False])
def test_inviting_says_that_a_mail_is_on_its_way(dialog, as_anna):
    headers = HTMX if dialog else {}
    assert 'name="address"' in text(as_anna.get("/acme/team/invite/", **headers))
    answer = as_anna.post("/acme/team/invite/", {"address": "carol@example.org", "role": "finance"}, **headers)
    assert (answer.status_code, answer.get("HX-Redirect", answer.get("Location"))) == (200 if dialog else 302, "/acme/team/")
    assert "An invitation is on its way to carol@example.org." in text(as_anna.get("/acme/team/"))
    assert Invitation.objects.get().role == "finance"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"address": "carol", "role": "member"}, "Enter a valid email address."),
        ({"address": "carol@example.org", "role": "operator"}, "Select a valid choice."),
        ({"address": "ANNA@example.org", "role": "member"}, "belongs to a member of Acme Studio."),
        ({}, "This field is required."),
    ],
)
def test_a_refused_invitation_says_why(fields, sentence, as_anna):
    answer = as_anna.post("/acme/team/invite/", fields, **HTMX)
    assert (answer.status_code, sentence in text(answer)) == (422, True)
    assert not Invitation.objects.exists()


def test_an_admin_is_not_offered_the_owners_role(acme, anna):
    adam, client = factories.make_user("adam"), Client()
    factories.join(adam, acme, Role.ADMIN)
    client.force_login(adam)
    page = text(client.get("/acme/team/invite/"))
    assert ('value="owner"' in page, 'value="admin"' in page) == (False, True)
    assert client.post("/acme/team/invite/", {"address": "carol@example.org", "role": "owner"}).status_code == 422


def test_buttons_of_an_invitation(as_anna, acme):
    invitation = factories.invite(acme, "carol@example.org")
    assert as_anna.post(f"/acme/team/invitations/{invitation.slug}/resend/")["Location"] == "/acme/team/"
    assert "Another mail is on its way" in text(as_anna.get("/acme/team/"))
    assert as_anna.post(f"/acme/team/invitations/{invitation.slug}/revoke/").status_code == 302
    assert "The invitation to carol@example.org is taken back." in text(as_anna.get("/acme/team/"))
    assert as_anna.post(f"/acme/team/invitations/{invitation.slug}/revoke/").status_code == 404


def test_a_role_changes_in_a_dialog_that_explains_each(as_anna, alice_in_acme):
    url = f"/acme/team/members/{alice_in_acme.pk}/role/"
    question = text(as_anna.get(url, **HTMX))
    assert "Role of alice" in question
    assert question.count('type="radio"') == 5
    assert as_anna.post(url, {"role": "admin"}, **HTMX)["HX-Redirect"] == "/acme/team/"
    alice_in_acme.refresh_from_db()
    assert alice_in_acme.role == "admin"
    assert "alice is admin now." in text(as_anna.get("/acme/team/"))


def test_the_only_owner_is_told_what_to_do_first(as_anna, anna_in_acme, alice_in_acme):
    url = f"/acme/team/members/{anna_in_acme.pk}/role/"
    answers = [as_anna.post(url, {"role": "member"}), as_anna.post("/acme/team/leave/")]
    for answer in answers:
        assert answer.status_code == 422
        assert "anna is the only owner of Acme Studio. Make somebody else an owner first." in text(answer)
    anna_in_acme.refresh_from_db()
    assert anna_in_acme.role == "owner"


def test_removing_names_the_consequence(as_anna, alice_in_acme):
    url = f"/acme/team/members/{alice_in_acme.pk}/remove/"
    question = text(as_anna.get(url))
    assert "Remove alice from Acme Studio?" in question
    assert "Their engines and data stay, in their name." in question
    assert Membership.objects.filter(pk=alice_in_acme.pk).exists()
    assert as_anna.post(url).status_code == 302
    assert not Membership.objects.filter(pk=alice_in_acme.pk).exists()
    assert as_anna.post(url).status_code == 404


def test_leaving_ends_where_no_tenant_is(as_alice, alice):
    assert "Leave Acme Studio?" in text(as_alice.get("/acme/team/leave/"))
    answer = as_alice.post("/acme/team/leave/")
    assert answer["Location"] == "/"
    assert "not a member of a tenant yet" in text(as_alice.get("/"))
    assert as_alice.get("/acme/team/").status_code == 404


def test_the_tenant_is_renamed_and_its_address_stays(as_anna, bolt):
    assert as_anna.post("/acme/team/settings/", {"name": "bolt  PICTURES"}).status_code == 422
    assert as_anna.post("/acme/team/settings/", {"name": " Nova  Films"})["Location"] == "/acme/team/settings/"
    assert "<h1>Nova Films</h1>" in text(as_anna.get("/acme/team/settings/"))


def test_deletion_is_asked_for_by_name_shown_everywhere_and_taken_back(as_anna, as_alice):
    refused = as_anna.post("/acme/team/settings/delete/", {"name": "acme"}, **HTMX)
    assert (refused.status_code, "Type the name exactly: Acme Studio" in text(refused)) == (422, True)
    assert as_anna.post("/acme/team/settings/delete/", {"name": "Acme Studio"}, **HTMX)["HX-Redirect"] == "/acme/team/settings/"
    for address in ("/acme/", "/acme/data/", "/acme/costs/", "/acme/team/", "/acme/notifications/"):
        assert "Acme Studio will be deleted on" in text(as_alice.get(address))
    assert 'class="button" href="/acme/team/settings/"' in text(as_anna.get("/acme/"))
    assert 'class="button" href="/acme/team/settings/"' not in text(as_alice.get("/acme/"))
    page = text(as_anna.get("/acme/team/settings/"))
    assert ("Keep the tenant" in page, 'name="name"' in page) == (True, False)
    assert as_anna.post("/acme/team/settings/keep/").status_code == 302
    assert "will be deleted" not in text(as_alice.get("/acme/"))


def test_a_suspension_shows_on_every_page_with_its_reason(as_alice):
    Tenant.objects.update(suspended_at=timezone.now(), suspended_reason="The bill is not <paid>")
    for address in ("/acme/", "/acme/data/", "/acme/costs/", "/acme/team/", "/acme/notifications/", "/acme/release/"):
        page = text(as_alice.get(address))
        assert "Acme Studio is suspended." in page
        assert "The operators say: The bill is not &lt;paid&gt;." in page
    assert as_alice.get("/acme/launch/").status_code == 403
