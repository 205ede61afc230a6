"""Pages on which people make and revoke API tokens, and where operators do."""

import re
import subprocess
import sys
from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.utils import timezone

from aigc_portal.token_secrets import digest
from gateway.api_tokens.operations import LIVE_LIMIT, Wanted, make_api_token, revoke_api_token
from gateway.api_tokens.samples import samples_for
from gateway.models import ApiToken
from tenants.errors import NotAllowed, NotVisible, QuotaExceeded
from tenants.models import Membership, Role
from tests import factories
from tests.gateway.conftest import portal_client

TYPED = {
    "name": "render farm",
    "scope": "wake",
    "days": "90",
    "rules": "post /prompt\r\n\r\nGET /history/*",
    "networks": "10.0.0.0/8",
}
SECRET = re.compile(r"aigc_[A-Za-z0-9]{40}")


def test_a_token_is_shown_once(make_row, alice, alice_client):
    row = make_row()
    address = f"/acme/api/engines/{row.slug}/"
    answer = alice_client.post(address, TYPED)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    [secret] = set(SECRET.findall(page))
    token = ApiToken.objects.get()
    assert (token.digest, token.key_id) == (digest(secret), secret[5:13])
    assert (token.tenant, token.instance, token.made_by, token.scope) == (row.tenant, row, alice, "wake")
    assert (token.rules, token.networks) == (["POST /prompt", "GET /history/*"], ["10.0.0.0/8"])
    assert timedelta(days=90) - (token.expires_at - timezone.now()) < timedelta(minutes=1)
    for later in (address, "/acme/api/", f"/acme/instances/{row.slug}/?tab=api"):
        shown = alice_client.get(later).content.decode()
        assert token.start in shown
        assert not SECRET.search(shown)
        assert "render farm" in shown


def test_a_token_for_all_engines(acme, make_row, alice_client):
    make_row()
    assert SECRET.search(alice_client.post("/acme/api/", TYPED).content.decode())
    assert ApiToken.objects.get().instance is None
    assert "all that its maker may enter" in alice_client.get("/acme/api/").content.decode()


REFUSALS = [
    ({"name": ""}, "This field is required."),
    ({"rules": "prompt"}, "“prompt” is not a path. A path begins with /."),
    ({"rules": "\n".join(["/x"] * 21)}, "At most 20 lines."),
    ({"networks": "10.0.0.1/8"}, "“10.0.0.1/8” is neither an address nor a network such as 192.0.2.0/24."),
    ({"days": "3650"}, "Select a valid choice."),
    ({"scope": "all"}, "Select a valid choice."),
]


@pytest.mark.parametrize(("change", "says"), REFUSALS)
def test_what_makes_no_token_is_said_beside_its_field(make_row, alice_client, change, says):
    answer = alice_client.post(f"/acme/api/engines/{make_row().slug}/", TYPED | change)
    assert (answer.status_code, ApiToken.objects.count()) == (422, 0)
    assert says in answer.content.decode()


def test_nobody_makes_more_tokens_than_can_be_looked_after(acme, make_token, alice_client, make_row):
    make_row()
    for _ in range(LIVE_LIMIT):
        made = make_token()
    answer = alice_client.post("/acme/api/", TYPED)
    assert (answer.status_code, ApiToken.objects.count()) == (422, LIVE_LIMIT)
    assert "Revoke one that is not used." in answer.content.decode()
    with pytest.raises(QuotaExceeded):
        make_token()
    revoke_api_token(token=made.token, by=made.token.membership)
    make_token()


@pytest.mark.parametrize(("role", "status"), [(Role.FINANCE, 403), (Role.VIEWER, 403), (Role.MEMBER, 200)])
def test_who_may_not_visit_makes_no_token(acme, make_row, role, status):
    carol = factories.make_user("carol")
    factories.join(carol, acme, role)
    make_row()
    client = portal_client(carol)
    assert ("Make token" in client.get("/acme/api/").content.decode()) is (status == 200)
    assert client.post("/acme/api/", TYPED).status_code == status
    assert ApiToken.objects.count() == (status == 200)


def test_a_colleague_sees_and_revokes_no_token_but_an_admin_and_the_owner_do(acme, anna, make_row, make_token, alice_in_acme):
    carol, row = factories.make_user("carol"), make_row()
    factories.join(carol, acme)
    mine, wide = make_token(row).token, make_token().token
    client = portal_client(carol)
    for address in ("/acme/api/", f"/acme/api/engines/{row.slug}/"):
        assert "render farm" not in client.get(address).content.decode()
    assert client.post(f"/acme/api/tokens/{mine.key_id}/revoke/").status_code == 404
    with pytest.raises(NotAllowed):
        revoke_api_token(token=mine, by=Membership.objects.get(user=carol))
    assert not ApiToken.objects.exclude(revoked_at=None).exists()
    for token in (mine, wide):
        answer = portal_client(anna).post(f"/acme/api/tokens/{token.key_id}/revoke/")
        assert (answer.status_code, answer["Location"]) == (302, "/acme/api/")
        token.refresh_from_db()
        assert token.revoked_by == anna
    first = mine.revoked_at
    revoke_api_token(token=mine, by=alice_in_acme)
    mine.refresh_from_db()
    assert (mine.revoked_at, mine.revoked_by) == (first, anna)


def test_a_stranger_revokes_nothing(make_row, make_token, bob_client, bob_in_bolt):
    token = make_token(make_row()).token
    assert bob_client.post(f"/bolt/api/tokens/{token.key_id}/revoke/").status_code == 404
    with pytest.raises(NotAllowed):
        revoke_api_token(token=token, by=bob_in_bolt)
    token.refresh_from_db()
    assert token.revoked_at is None


def test_no_token_for_what_is_another_tenants(bolt, bob_in_bolt, make_row):
    with pytest.raises(NotVisible):
        make_api_token(by=bob_in_bolt, instance=make_row(), wanted=Wanted("x", "use", timedelta(days=1)))
    assert not ApiToken.objects.exists()


def test_no_token_lives_longer_than_a_year(make_token):
    with pytest.raises(IntegrityError, match="api_token_lives_a_year_at_most"):
        make_token(lifetime=timedelta(days=367))


def test_what_ended_a_month_ago_is_not_shown(make_row, make_token, alice_client):
    token = make_token(make_row()).token
    old = timezone.now() - timedelta(days=31)
    ApiToken.objects.filter(pk=token.pk).update(revoked_at=old, revoked_by=token.made_by)
    assert "render farm" not in alice_client.get("/acme/api/").content.decode()


def test_operators_look_and_revoke(make_row, make_token, olga):
    token = make_token(make_row()).token
    client = portal_client(olga)
    page = client.get("/admin/gateway/apitoken/").content.decode()
    assert token.start in page
    detail = client.get(f"/admin/gateway/apitoken/{token.pk}/change/")
    assert detail.status_code == 200
    assert token.digest not in detail.content.decode()
    client.post("/admin/gateway/apitoken/", {"action": "revoke", "_selected_action": [token.pk]})
    token.refresh_from_db()
    assert token.revoked_by == olga
    assert client.post("/admin/gateway/apitoken/add/").status_code == 403
    assert client.post(f"/admin/gateway/apitoken/{token.pk}/delete/").status_code == 403


def test_an_operator_who_may_only_look_revokes_nothing(make_row, make_token):
    token = make_token(make_row()).token
    viewer = factories.make_operator("vera", "gateway.view_apitoken")
    client = portal_client(viewer)
    assert client.get("/admin/gateway/apitoken/").status_code == 200
    client.post("/admin/gateway/apitoken/", {"action": "revoke", "_selected_action": [token.pk]})
    token.refresh_from_db()
    assert token.revoked_at is None


def test_the_samples_work_as_they_are_shown(gateway, instance, alice_client):
    page = alice_client.post(f"/acme/api/engines/{instance.slug}/", TYPED | {"rules": "GET /", "networks": ""})
    curl, python = page.context["access"].samples
    answered = subprocess.run(["bash", "-c", curl.code], capture_output=True, text=True, check=True, timeout=30)
    assert '"method": "GET"' in answered.stdout
    answered = subprocess.run([sys.executable, "-c", python.code], capture_output=True, text=True, check=True, timeout=30)
    assert answered.stdout.startswith('200 b\'{"method": "GET", "target": "/"')


def test_on_a_real_domain_python_needs_no_detour():
    curl, python = samples_for("https://bcdfghjkmn.engines.example.net", "aigc_x")
    assert curl.code == 'curl --header "Authorization: Bearer aigc_x" https://bcdfghjkmn.engines.example.net/\n'
    assert '"https://bcdfghjkmn.engines.example.net/"' in python.code
    assert "Host" not in python.code
