"""Changes through the API: under If-Match, by services, and as the audit log tells of them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from engines.models import Cluster, EngineVersion, GpuClass, Instance
from gateway.models import ApiToken
from tenants.access_tokens.models import AccessToken, KeptAnswer
from tenants.access_tokens.operations import Wanted, make_service_token
from tenants.audit.models import AuditEvent
from tenants.models import Membership, Role, Tenant, User
from tests import factories
from tests.api.conftest import EVERY_SCOPE, Program
from tests.api.test_frame import problem

LAUNCH = {"engine": "double", "gpu_class": "cpu-small", "name": "Dragon"}


@pytest.fixture
def offer(cluster: Cluster, engine_version: EngineVersion, gpu_class: GpuClass) -> None:
    """There is something to launch."""


@pytest.fixture
def instance(acme: Tenant, alice: User, cluster: Cluster) -> Instance:
    return factories.make_instance(acme, alice, cluster, state="running", name="Dragon")


@pytest.fixture
def path(instance: Instance) -> str:
    return f"/tenants/acme/instances/{instance.slug}"


def test_a_change_is_made_to_what_was_read(alices: Program, path: str, instance: Instance) -> None:
    seen = alices("GET", path)["ETag"]
    Instance.objects.update(state="stopping", evidence="what a cluster does meanwhile changes nothing")
    assert alices("POST", f"{path}/pause", if_match=seen).status_code == 200
    assert problem(alices("POST", f"{path}/resume", if_match=seen)) == (412, "precondition-failed")
    instance.refresh_from_db()
    assert (instance.desired_state, instance.generation) == ("stopped", 2)
    again = alices("GET", path)["ETag"]
    assert problem(alices("PATCH", path, {"name": "Wyvern"}, if_match=seen)) == (412, "precondition-failed")
    renamed = alices("PATCH", path, {"name": "Wyvern"}, if_match=again)
    assert renamed.status_code == 200
    assert problem(alices("DELETE", path, if_match=again)) == (412, "precondition-failed")
    assert alices("DELETE", path, if_match=renamed["ETag"]).status_code == 202
    assert alices("POST", f"{path}/pause", if_match="*").status_code == 409, "it is being deleted"


def test_a_patch_changes_all_or_nothing(alices: Program, path: str, instance: Instance) -> None:
    answer = alices("PATCH", path, {"name": "Wyvern", "gpu_class": "none"})
    assert problem(answer) == (422, "invalid")
    instance.refresh_from_db()
    assert instance.name == "Dragon"


@pytest.mark.parametrize("headers", [{}, {"if_match": "*"}])
def test_slots_are_locked_before_the_instance(headers: dict[str, str], alices: Program, path: str, instance: Instance) -> None:
    """As by everybody else: whoever had the instance and waited for slots would wait for who has slots and wants the instance."""
    factories.make_gpu_class("shared", sharing=GpuClass.Sharing.TIME_SLICING)
    Instance.objects.update(state="stopped", desired_state="stopped")
    with CaptureQueriesContext(connection) as seen:
        alices("PATCH", path, {"name": "Wyvern", "gpu_class": "shared"}, **headers)
    locks = [each["sql"] for each in seen if " FOR UPDATE" in each["sql"] or " FOR NO KEY UPDATE" in each["sql"]]
    tables = [sql.partition(' FROM "')[2].partition('"')[0] for sql in locks]
    assert tables[0] == "tenants_tenant"
    assert tables.index("engines_capacity") < tables.index("engines_instance")


def test_a_service_owns_what_it_launches(offer: None, anna_in_acme: Membership, acme: Tenant, alices: Program) -> None:
    wanted = Wanted("Nightly batch", EVERY_SCOPE, timedelta(days=7))
    made = make_service_token(by=anna_in_acme, role=Role.MEMBER, wanted=wanted)
    service = Program(made.secret)
    me = service("GET", "/me").json()
    assert (me["is_service"], me["tenants"][0]["role"], me["token"]["tenant"]) == (True, "member", "acme")
    launched = service("POST", "/tenants/acme/instances", LAUNCH).json()
    assert launched["owner"] == {"username": me["username"], "name": "Nightly batch"}
    assert launched["may_operate"]
    assert not alices("GET", f"/tenants/acme/instances/{launched['id']}").json()["may_operate"]
    assert problem(service("POST", "/me/tokens", {"name": "x", "scopes": ["instances:read"]})) == (403, "not-allowed")
    anna_in_acme.delete()
    assert service("GET", "/me").status_code == 200, "a service outlasts whoever made its token"
    Membership.objects.filter(user=made.token.user).delete()
    assert service("GET", "/me").status_code == 401


def test_the_audit_log_names_token_and_way(offer: None, alices: Program) -> None:
    alices("POST", "/tenants/acme/instances", LAUNCH)
    event = AuditEvent.objects.get(kind="instance.launched")
    assert (event.via, event.token, event.actor.username) == ("api", AccessToken.objects.get().key_id, "alice")


def test_the_audit_log_is_read_by_who_may(anna: User, alices: Program, offer: None, program_of: Callable[..., Program]) -> None:
    alices("POST", "/tenants/acme/instances", LAUNCH)
    found = program_of(anna)("GET", "/tenants/acme/audit?what=instance").json()["items"]
    assert [(each["kind"], each["actor"], each["via"]) for each in found] == [("instance.launched", "alice", "api")]
    assert problem(alices("GET", "/tenants/acme/audit")) == (403, "not-allowed")


def test_a_token_is_made_shown_once_and_revoked(alices: Program) -> None:
    asked = {"name": "Blender", "scopes": ["instances:read"], "days": 3}
    made = alices("POST", "/tenants/acme/tokens", asked, idempotency_key="once").json()
    again = alices("POST", "/tenants/acme/tokens", asked, idempotency_key="once").json()
    assert again == made, "whoever lost the first answer has the token all the same"
    assert made["secret"] not in KeptAnswer.objects.get().sealed_body
    assert AccessToken.objects.filter(name="Blender").count() == 1
    listed = alices("GET", "/tenants/acme/tokens").json()["items"]
    assert [each["name"] for each in listed] == ["Blender"]
    assert "secret" not in listed[0]
    made_program = Program(made["secret"])
    assert made_program("GET", "/tenants/acme/instances").status_code == 200
    assert alices("DELETE", f"/tenants/acme/tokens/{made['id']}").status_code == 204
    assert made_program("GET", "/tenants/acme/instances").status_code == 401


def test_a_token_makes_none_beyond_itself(alice: User, alice_in_acme: Membership, program_of: Callable[..., Program]) -> None:
    program = program_of(alice, membership=alice_in_acme, scopes=["tokens:write"], days=2)
    more = {"name": "more", "scopes": ["instances:read"]}
    assert problem(program("POST", "/tenants/acme/tokens", more)) == (403, "not-allowed")
    assert problem(program("POST", "/me/tokens", {"name": "wider", "scopes": ["tokens:read"]})) == (403, "not-allowed")
    assert problem(program("POST", "/tenants/acme/engine-tokens", {"name": "engine"})) == (403, "insufficient-scope")
    assert not ApiToken.objects.exists()
    program = program_of(alice, membership=alice_in_acme, scopes=["tokens:write", "instances:write"], days=2)
    assert program("POST", "/tenants/acme/engine-tokens", {"name": "engine", "days": 300}).status_code == 201
    assert ApiToken.objects.get().expires_at - AccessToken.objects.latest("pk").expires_at < timedelta(seconds=10)


def test_a_token_of_one_tenant_reaches_no_token_beyond_it(
    alice: User, alice_in_acme: Membership, bolt: Tenant, make_token: Callable[..., Any], program_of: Callable[..., Program]
) -> None:
    beyond = [make_token(alice).token, make_token(alice, membership=factories.join(alice, bolt)).token]
    program = program_of(alice, membership=alice_in_acme)
    own = AccessToken.objects.get(tenant=alice_in_acme.tenant)
    assert [each["id"] for each in program("GET", "/me/tokens").json()["items"]] == [own.key_id]
    for token in beyond:
        assert problem(program("DELETE", f"/me/tokens/{token.key_id}")) == (404, "not-found")
    assert AccessToken.objects.live().count() == 3
    assert program("DELETE", f"/me/tokens/{own.key_id}").status_code == 204


def test_who_must_sign_in_again_belongs_to_no_tenant(alice: User, alice_in_acme: Membership, alices: Program) -> None:
    Membership.objects.update(provider="company", lapsed_at=timezone.now())
    assert alices("GET", "/me").json()["tenants"] == []
    assert alices("GET", "/tenants").json()["items"] == []
    assert problem(alices("GET", "/tenants/acme")) == (404, "not-found")


def test_a_limit_is_set_and_refuses(anna: User, offer: None, alices: Program, program_of: Callable[..., Program]) -> None:
    annas = program_of(anna)
    assert annas("PUT", "/tenants/acme/quotas", {"measure": "running", "limit": 1, "role": "member"}).json()["limit"] == "1"
    assert alices("POST", "/tenants/acme/instances", LAUNCH).status_code == 201
    refused = alices("POST", "/tenants/acme/instances", LAUNCH | {"name": "Second"})
    assert problem(refused) == (409, "limit-reached")
    own = next(each for each in alices("GET", "/tenants/acme/limits").json()["items"] if not each["whole_tenant"])
    assert (own["measure"], own["used"], own["limit"]) == ("running", "1", "1")
    wanted = {"measure": "running", "wanted": 2, "reason": "a second film"}
    asked = alices("POST", "/tenants/acme/quota-requests", wanted).json()
    assert annas("POST", f"/tenants/acme/quota-requests/{asked['id']}/approve", {"granted": 2}).json()["state"] == "approved"
    assert alices("POST", "/tenants/acme/instances", LAUNCH | {"name": "Second"}).status_code == 201


def test_members_change_roles_and_leave(anna: User, alice_in_acme: Membership, alices: Program, program_of: Any) -> None:
    annas = program_of(anna)
    path = f"/tenants/acme/members/{alice_in_acme.pk}"
    assert annas("PATCH", path, {"role": "viewer"}).json()["role"] == "viewer"
    assert problem(alices("PATCH", path, {"role": "owner"})) == (403, "not-allowed")
    assert alices("POST", "/tenants/acme/leave").status_code == 204
    assert alices("GET", "/tenants/acme").status_code == 404
    assert problem(annas("POST", "/tenants/acme/leave")) == (409, "unavailable")
    invited = annas("POST", "/tenants/acme/invitations", {"address": "new@example.org", "role": "member"}).json()
    assert annas("DELETE", f"/tenants/acme/invitations/{invited['id']}").status_code == 204
    assert annas("GET", "/tenants/acme/invitations").json()["items"] == []


def test_an_invitation_says_whether_it_can_still_be_used(acme: Tenant, anna: User, program_of: Callable[..., Program]) -> None:
    left = factories.make_user("left")
    factories.invite(acme, "old@example.org", invited_by=left)
    annas = program_of(anna)
    annas("POST", "/tenants/acme/invitations", {"address": "new@example.org"})
    listed = annas("GET", "/tenants/acme/invitations").json()["items"]
    assert [(each["address"], each["usable"]) for each in listed] == [("new@example.org", True), ("old@example.org", False)]
    assert annas("POST", f"/tenants/acme/invitations/{listed[1]['id']}/resend").json()["invited_by"] == "anna"
    assert {each["usable"] for each in annas("GET", "/tenants/acme/invitations").json()["items"]} == {True}
