"""Access tokens: what they look like, who may make and revoke them, and when they end."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tenants.access_tokens.forms import EVERYWHERE, HERE, SERVICE
from tenants.access_tokens.models import AccessToken
from tenants.access_tokens.operations import (
    BadToken,
    Wanted,
    make_personal_token,
    make_service_token,
    revoke_access_token,
    roles_for_services,
)
from tenants.access_tokens.queries import live_token, tokens_in
from tenants.access_tokens.scopes import WORDS, Scope, covers
from tenants.access_tokens.secrets import is_well_formed, new_secret
from tenants.audit.models import AuditEvent
from tenants.audit.origin import Channel, Origin, originating
from tenants.errors import NotAllowed
from tenants.models import Membership, Role, Tenant, User
from tests import factories

READ = Wanted("batch", ["instances:read"], timedelta(days=7))


def test_a_token_tells_itself_from_what_looks_like_one() -> None:
    secret = new_secret("service")
    assert secret.text.startswith(f"aigc_svc_{secret.key_id}")
    assert is_well_formed(secret.text)
    assert len({new_secret("personal").digest for _ in range(50)}) == 50
    for wrong in (
        secret.text[:-1],
        secret.text + "a",
        secret.text.replace("svc", "pat"),
        secret.text[:-1] + "~",
        "",
        "aigc_svc_",
    ):
        assert not is_well_formed(wrong)


def test_every_scope_has_its_words_and_writing_covers_reading() -> None:
    assert set(WORDS) == set(Scope)
    assert covers(["data:write"], Scope.DATA_READ)
    assert not covers(["data:read"], Scope.DATA_WRITE)
    assert not covers(["instances:write"], Scope.DATA_READ)


def test_only_its_digest_is_kept(alice: User) -> None:
    made = make_personal_token(person=alice, membership=None, wanted=READ)
    kept = " ".join(str(value) for value in AccessToken.objects.values_list().get())
    assert made.secret not in kept
    assert made.secret[17:] not in kept
    assert live_token(made.secret) == made.token
    last = "1" if made.secret.endswith("0") else "0"  # another one, whatever it ended with
    assert live_token(made.secret[:-1] + last) is None


def test_making_and_revoking_are_written_down_and_told(alice: User, alice_in_acme: Membership) -> None:
    token = make_personal_token(person=alice, membership=alice_in_acme, wanted=READ).token
    revoke_access_token(token=token, by=alice)
    revoke_access_token(token=token, by=alice)
    events = AuditEvent.objects.order_by("pk").values_list("kind", "subject_id", "tenant__slug", "actor__username")
    assert list(events) == [(kind, token.key_id, "acme", "alice") for kind in ("access_token.made", "access_token.revoked")]
    assert AuditEvent.objects.earliest("pk").details["scopes"] == ["instances:read"]


def test_a_service_is_a_member_that_nobody_can_sign_in_as(anna_in_acme: Membership, acme: Tenant) -> None:
    made = make_service_token(by=anna_in_acme, role=Role.MEMBER, wanted=READ)
    service = made.token.user
    assert (service.is_service, service.email, service.has_usable_password(), service.is_staff) == (True, "", False, False)
    assert Membership.objects.get(user=service).role == Role.MEMBER
    assert made.secret.startswith("aigc_svc_")
    revoke_access_token(token=made.token, by=anna_in_acme.user, membership=anna_in_acme)
    assert not Membership.objects.filter(user=service).exists()
    assert live_token(made.secret) is None


@pytest.mark.parametrize(
    ("role", "may_give"),
    [
        (Role.OWNER, {Role.ADMIN, Role.MEMBER, Role.FINANCE, Role.VIEWER}),
        (Role.ADMIN, {Role.ADMIN, Role.MEMBER, Role.FINANCE, Role.VIEWER}),
        (Role.MEMBER, {Role.MEMBER, Role.VIEWER}),
        (Role.VIEWER, {Role.VIEWER}),
    ],
)
def test_a_service_may_do_no_more_than_its_maker(role: Role, may_give: set[Role]) -> None:
    assert set(roles_for_services(Membership(role=role, tenant=Tenant(pk=1)))) == may_give


def test_nobody_makes_what_they_may_not(alice: User, alice_in_acme: Membership, anna_in_acme: Membership) -> None:
    with pytest.raises(NotAllowed):
        make_service_token(by=alice_in_acme, role=Role.VIEWER, wanted=READ)
    with pytest.raises(NotAllowed):
        make_service_token(by=anna_in_acme, role=Role.OWNER, wanted=READ)
    service = make_service_token(by=anna_in_acme, role=Role.ADMIN, wanted=READ).token.user
    with pytest.raises(NotAllowed):
        make_personal_token(person=service, membership=None, wanted=READ)
    with originating(Origin(channel=Channel.PORTAL, behind=anna_in_acme.user_id)), pytest.raises(NotAllowed):
        make_personal_token(person=alice, membership=None, wanted=READ)
    assert AccessToken.objects.count() == 1


def test_who_has_lost_the_right_meanwhile_makes_no_service(anna_in_acme: Membership) -> None:
    """The page was opened as an owner; what counts is the role now."""
    Membership.objects.filter(pk=anna_in_acme.pk).update(role=Role.MEMBER)
    with pytest.raises(NotAllowed):
        make_service_token(by=anna_in_acme, role=Role.VIEWER, wanted=READ)
    assert not AccessToken.objects.exists()


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(" ", ["instances:read"], timedelta(days=7)),
        Wanted("batch", [], timedelta(days=7)),
        Wanted("batch", ["everything"], timedelta(days=7)),
        Wanted("batch", ["instances:read"], timedelta(0)),
        Wanted("batch", ["instances:read"], timedelta(days=367)),
    ],
)
def test_a_token_has_a_name_scopes_and_an_end(wanted: Wanted, alice: User) -> None:
    with pytest.raises(BadToken):
        make_personal_token(person=alice, membership=None, wanted=wanted)
    assert not AccessToken.objects.exists()


def test_a_token_makes_none_that_may_more_or_lives_longer(alice: User, alice_in_acme: Membership, bolt: Tenant) -> None:
    asking = make_personal_token(
        person=alice, membership=alice_in_acme, wanted=Wanted("batch", ["tokens:write"], timedelta(days=7))
    ).token
    more = Wanted("more", ["instances:read"], timedelta(days=1), within=asking)
    longer = Wanted("longer", ["tokens:read"], timedelta(days=90), within=asking)
    with pytest.raises(NotAllowed):
        make_personal_token(person=alice, membership=alice_in_acme, wanted=more)
    with pytest.raises(NotAllowed):
        make_personal_token(person=alice, membership=None, wanted=longer)
    made = make_personal_token(person=alice, membership=alice_in_acme, wanted=longer).token
    assert made.expires_at == asking.expires_at


def test_members_see_their_own_and_admins_the_teams(alice: User, alice_in_acme: Membership, anna_in_acme: Membership) -> None:
    alices = make_personal_token(person=alice, membership=alice_in_acme, wanted=READ).token
    service = make_service_token(by=anna_in_acme, role=Role.VIEWER, wanted=READ).token
    everywhere = make_personal_token(person=alice, membership=None, wanted=READ).token
    assert set(tokens_in(alice_in_acme)) == {alices}
    assert set(tokens_in(anna_in_acme)) == {alices, service}
    with pytest.raises(NotAllowed):
        revoke_access_token(token=service, by=alice, membership=alice_in_acme)
    with pytest.raises(NotAllowed):
        revoke_access_token(token=everywhere, by=anna_in_acme.user, membership=anna_in_acme)
    revoke_access_token(token=alices, by=anna_in_acme.user, membership=anna_in_acme)
    assert set(AccessToken.objects.live()) == {service, everywhere}


def test_who_comes_back_does_not_bring_old_tokens_back(alice: User, alice_in_acme: Membership, acme: Tenant) -> None:
    made = make_personal_token(person=alice, membership=alice_in_acme, wanted=READ)
    alice_in_acme.delete()
    factories.join(alice, acme)
    assert live_token(made.secret) is None


@pytest.mark.parametrize("acts", [HERE, EVERYWHERE, SERVICE])
def test_the_page_makes_one_shows_it_once_and_revokes_it(acts: str, client: Client, anna: User, acme: Tenant) -> None:
    client.force_login(anna)
    typed = {"name": "Nightly batch", "acts": acts, "role": "member", "days": "30", "scopes": ["instances:write"]}
    page = client.post("/acme/team/tokens/", typed).content.decode()
    token = AccessToken.objects.get()
    assert (token.tenant is None) == (acts == EVERYWHERE)
    assert token.expires_at - timezone.now() > timedelta(days=29)
    assert f"{token.start[:-1]}" in page
    again = client.get("/acme/team/tokens/").content.decode()
    assert "data-copy" in page
    assert "data-copy" not in again
    assert "Nightly batch" in again
    client.post(f"/acme/team/tokens/{token.key_id}/revoke/")
    token.refresh_from_db()
    assert token.revoked_by == anna


def test_members_are_offered_no_services(client: Client, alice: User, acme: Tenant) -> None:
    client.force_login(alice)
    typed = {"name": "x", "acts": SERVICE, "role": "member", "days": "30", "scopes": ["instances:read"]}
    assert client.post("/acme/team/tokens/", typed).status_code == 422
    assert "a service of" not in client.get("/acme/team/tokens/").content.decode()
    assert not AccessToken.objects.exists()
