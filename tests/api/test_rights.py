"""Who gets through which route of the API: derived from its document, so that a route that is added cannot be forgotten here."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.signals import request_finished
from django.db import close_old_connections, transaction
from django.utils import timezone

from aigc_portal.api.assembly import api
from billing.models import Charge
from billing.operations import set_price, settle
from engines.models import Cluster, GpuClass, Instance
from tenants.access_tokens.operations import Made
from tenants.invitations.models import Invitation
from tenants.models import Membership, Role, Tenant, User
from tenants.quotas.models import Quota, QuotaRequest
from tests import factories
from tests.api.conftest import EVERY_SCOPE, Program
from tests.billing.facts import record
from tests.test_routes import PICTURE, everything_written, make_secret

ANY, SEE, LAUNCH, VISIT, OPERATE, WAKE, ADMIN, OWN = "any", "see", "launch", "visit", "operate", "wake", "admin", "own"
BUDGETS = "budgets"
ALL_COSTS = "all costs"
BOOKS = "books"
NEEDS = {
    "add_schedule": OPERATE,
    "add_team_schedule": ADMIN,
    "add_webhook": ADMIN,
    "approve_request": ADMIN,
    "ask_for_more": LAUNCH,
    "cancel_launch": OPERATE,
    "change_budget": BUDGETS,
    "change_instance": OPERATE,
    "change_role": ADMIN,
    "change_webhook": ADMIN,
    "choose_mail": ANY,
    "delete_budget": BUDGETS,
    "delete_file": VISIT,
    "delete_instance": OPERATE,
    "delete_webhook": ADMIN,
    "disable_webhook": ADMIN,
    "download_archive": VISIT,
    "download_file": VISIT,
    "enable_webhook": ADMIN,
    "end_share": OPERATE,
    "download_export": ALL_COSTS,
    "explain_line": BOOKS,
    "extend_share": OPERATE,
    "follow_log": VISIT,
    "get_allocation": SEE,  # of one's own, or everybody's
    "get_budget": SEE,  # if it concerns one
    "get_costs": SEE,  # of one's own, or everybody's
    "get_engine": SEE,
    "get_estimate": SEE,
    "get_export": ALL_COSTS,
    "get_insights": SEE,  # into one's own costs, or everybody's
    "get_instance": SEE,
    "get_mail": ANY,
    "get_me": ANY,
    "get_release": SEE,
    "get_tenant": SEE,
    "get_volume": SEE,
    "get_webhook": ADMIN,
    "hand_over_instance": OPERATE,
    "invite": ADMIN,
    "keep_instance": OPERATE,
    "launch_instance": LAUNCH,
    "leave_tenant": SEE,
    "list_audit_events": ADMIN,
    "list_budgets": SEE,
    "list_charges": SEE,  # of one's own, or everybody's
    "list_deliveries": ADMIN,
    "list_engine_tokens": SEE,
    "list_engines": SEE,
    "list_events": SEE,
    "list_exports": ALL_COSTS,
    "list_files": VISIT,
    "list_gpu_classes": SEE,
    "list_instance_schedules": SEE,
    "list_instances": SEE,
    "list_invitations": ADMIN,
    "list_limits": SEE,
    "list_lines": SEE,  # as above
    "list_members": SEE,
    "list_my_tokens": ANY,
    "list_notifications": SEE,
    "list_periods": SEE,  # as above
    "list_quota_requests": SEE,
    "list_quotas": SEE,
    "list_schedules": SEE,
    "list_shares": OPERATE,
    "list_tenants": ANY,
    "list_tokens": SEE,
    "list_volumes": SEE,
    "list_webhooks": ADMIN,
    "make_budget": BUDGETS,
    "make_engine_token": LAUNCH,
    "make_export": ALL_COSTS,
    "make_folder": VISIT,
    "make_my_token": ANY,
    "make_token": ADMIN,  # a service's; one's own for everybody
    "pause_instance": OPERATE,
    "read_log": VISIT,
    "read_notifications": SEE,
    "redeliver": ADMIN,
    "refuse_request": ADMIN,
    "release_when_free": OPERATE,
    "remove_limit": ADMIN,
    "remove_member": ADMIN,
    "remove_release": ADMIN,
    "remove_schedule": OPERATE,
    "resend_invitation": ADMIN,
    "rename_file": VISIT,
    "restart_instance": OPERATE,
    "restore_volume": OPERATE,
    "resume_instance": WAKE,
    "revoke_engine_token": OPERATE,
    "revoke_invitation": ADMIN,
    "revoke_my_token": OWN,
    "revoke_token": OPERATE,
    "rotate_webhook": ADMIN,
    "set_limit": ADMIN,
    "set_release": ADMIN,
    "share_instance": OPERATE,
    "stream_focus": ALL_COSTS,
    "test_webhook": ADMIN,
    "trash_volume": OPERATE,
    "upload_file": VISIT,
    "withdraw_request": OWN,
}
BODIES: dict[str, Any] = {
    "add_schedule": {"action": "stop", "days": [0], "at": "18:00"},
    "add_team_schedule": {"days": [0], "at": "18:00"},
    "add_webhook": {"url": "https://hooks.example.org/2"},
    "approve_request": {"granted": 9},
    "ask_for_more": {"measure": "running", "whole_tenant": True, "wanted": 30, "reason": "a film"},
    "change_budget": {"amount": "5"},
    "change_instance": {"name": "Renamed"},
    "change_role": {"role": "viewer"},
    "change_webhook": {"url": "https://hooks.example.org/2"},
    "choose_mail": {"kinds": []},
    "extend_share": {},
    "hand_over_instance": {"to": "gina"},
    "invite": {"address": "new@example.org"},
    "keep_instance": {},
    "launch_instance": {"engine": "double", "gpu_class": "cpu-small"},
    "make_budget": {"name": "Spring", "amount": "5"},
    "make_engine_token": {"name": "batch"},
    "make_export": {"format": "csv", "window": "month"},
    "make_my_token": {"name": "mine", "scopes": ["instances:read"]},
    "make_token": {"name": "service", "kind": "service", "role": "viewer", "scopes": ["instances:read"]},
    "read_notifications": {},
    "refuse_request": {"word": "not now"},
    "release_when_free": {},
    "rename_file": {"name": "Other.png"},
    "set_limit": {"measure": "running", "limit": 3},
    "set_release": {"idle_minutes": 5, "maximum_life_minutes": 60, "maximum_keep_minutes": 0},
    "share_instance": {"member": "gina"},
    "upload_file": "bytes",
}
QUERIES = dict.fromkeys(("delete_file", "download_file", "rename_file"), f"?path={PICTURE.replace(' ', '%20')}") | {
    "get_allocation": "?window=month",
    "get_estimate": "?hours=1&storageGib=1",
    "list_lines": "?window=month",
    "stream_focus": "?window=month",
    "make_folder": "?path=folder",
    "upload_file": "?path=new.bin",
}
MEMBER = {ANY, SEE, LAUNCH}
PEOPLE: dict[str, tuple[str | None, set[str]]] = {
    "owner": (Role.MEMBER, MEMBER | {VISIT, OPERATE, WAKE, OWN, BOOKS}),
    "guest": (Role.MEMBER, MEMBER | {VISIT, WAKE}),
    "colleague": (Role.MEMBER, MEMBER),
    "admin": (Role.ADMIN, MEMBER | {OPERATE, WAKE, BUDGETS, ALL_COSTS, ADMIN, BOOKS}),
    "finance": (Role.FINANCE, {ANY, SEE, BUDGETS, ALL_COSTS, BOOKS}),
    "viewer": (Role.VIEWER, {ANY, SEE}),
    "stranger": (None, {ANY}),
}


def routes() -> dict[str, tuple[str, str, list[str]]]:
    """Operation id to method, path and scopes, as the document has them."""
    paths = api.get_openapi_schema(path_prefix="/")["paths"]
    return {
        details["operationId"]: (method.upper(), path, details["security"][0]["AccessToken"])
        for path, item in paths.items()
        for method, details in item.items()
    }


ROUTES = routes()


@pytest.fixture
def instance(acme: Tenant, alice: User, cluster: Cluster, gpu_class: GpuClass) -> Instance:
    return make_secret(acme, alice, cluster)


def make_invitation(tenant: Tenant, by: User) -> Invitation:
    ends = timezone.now() + timedelta(days=1)
    return Invitation.objects.create(tenant=tenant, address="i@example.org", role="member", invited_by=by, expires_at=ends)


def make_line(instance: Instance) -> Charge:
    """What one minute of the instance cost."""
    now = timezone.now()
    set_price(gpu_class=instance.gpu_class, per_hour=Decimal(1), starts_at=now - timedelta(days=1))
    record(instance, "ready", now - timedelta(minutes=2))
    record(instance, "ended", now - timedelta(minutes=1))
    settle(instance.pk, now=now)
    return Charge.objects.filter(instance=instance).latest("pk")


def make_limits(tenant: Tenant, asker: User) -> dict[str, int]:
    """A limit of the asker's own that the team has set, and a request for more of it."""
    own = {"tenant": tenant, "measure": "running"}
    quota = Quota.objects.create(author="tenant", user=asker, limit=2, **own)
    asked = QuotaRequest.objects.create(asker=asker, whole_tenant=False, wanted=4, reason="Secret plans", **own)
    return {"quota": quota.pk, "asked": asked.pk}


@pytest.fixture
def parts(instance: Instance, alice: User, alice_in_acme: Membership, make_token: Callable[..., Made]) -> Callable[[str], str]:
    """Return a function that fills an operation's path with what there is."""
    gina = factories.make_user("gina")
    factories.join(gina, instance.tenant)
    share = factories.share(instance, gina)
    everywhere, bound = make_token(alice).token, make_token(alice, membership=alice_in_acme).token
    webhook = instance.tenant.webhooks.get()
    line = make_line(instance)
    known = {
        "tenant": "acme",
        "instance": instance.slug,
        "key": line.line_key,
        "export": factories.make_export(instance.tenant, alice).slug,
        "volume": instance.volume.slug,
        "engine": "double",
        "webhook": webhook.slug,
        "share": share.pk,
        "schedule": instance.schedules.get().pk,
        "member": Membership.objects.get(user=gina).pk,
        "invitation": make_invitation(instance.tenant, alice).slug,
        **make_limits(instance.tenant, alice),
        "budget": instance.tenant.budgets.get().pk,
        "delivery": webhook.deliveries.earliest("pk").pk,
    }
    tokens = {"revoke_my_token": everywhere.key_id, "revoke_token": bound.key_id}

    disk = Path(instance.cluster.config["root"]) / "volumes" / instance.volume.ref.name

    def fill(operation: str) -> str:
        (disk / PICTURE).touch()  # no transaction brings back what the route before has renamed or deleted
        token = tokens.get(operation, instance.api_tokens.get().key_id)
        return ROUTES[operation][1].format(**known, token=token) + QUERIES.get(operation, "")

    return fill


@pytest.fixture
def person(acme: Tenant, alice: User, bob: User, parts: object) -> Callable[[str], User]:
    def make(kind: str) -> User:
        if kind in {"owner", "stranger"}:
            return alice if kind == "owner" else bob
        if kind == "guest":
            return User.objects.get(username="gina")
        user = factories.make_user("carol")
        factories.join(user, acme, PEOPLE[kind][0] or Role.MEMBER)
        return user

    return make


def status_of(program: Program, operation: str, path: str) -> int:
    """What the route answers; a stream is left at once, and this test's connection stays."""
    answer = program(ROUTES[operation][0], path, BODIES.get(operation))
    request_finished.disconnect(close_old_connections)
    answer.close()
    request_finished.connect(close_old_connections)
    return int(answer.status_code)


def test_every_route_says_what_it_needs() -> None:
    assert set(ROUTES) == set(NEEDS)


@pytest.mark.parametrize("kind", PEOPLE)
def test_everybody_gets_as_far_as_they_may(
    kind: str, person: Callable[[str], User], parts: Callable[[str], str], program_of: Callable[..., Program]
) -> None:
    allowed, program = PEOPLE[kind][1], program_of(person(kind))
    program("GET", "/me")  # what is written once a minute is written
    before, statuses = everything_written(), {}
    for operation in ROUTES:
        with transaction.atomic():
            statuses[operation] = status_of(program, operation, parts(operation))
            transaction.set_rollback(NEEDS[operation] in allowed)  # each begins as the one before
    refused = {operation for operation, status in statuses.items() if status in {401, 403, 404}}
    assert refused == {operation for operation, need in NEEDS.items() if need not in allowed}
    assert {statuses[operation] for operation in refused} <= ({404} if kind == "stranger" else {403, 404})
    assert {status for operation, status in statuses.items() if operation not in refused} <= {200, 201, 202, 204, 409}
    assert everything_written() == before


def test_without_a_token_nothing_is_told_or_written(parts: Callable[[str], str]) -> None:
    before, program = everything_written(), Program()
    assert {status_of(program, operation, parts(operation)) for operation in ROUTES} == {401}
    assert everything_written() == before


def test_without_its_scope_no_route_is_open(alice: User, parts: Callable[[str], str], program_of: Callable[..., Program]) -> None:
    scopes = {scope for _method, _path, needed in ROUTES.values() for scope in needed}
    for scope in sorted(scopes):
        part = scope.partition(":")[0]
        program = program_of(alice, scopes=[each for each in EVERY_SCOPE if not each.startswith(f"{part}:")])
        program("GET", "/me")
        before = everything_written()
        needing = [operation for operation, (_method, _path, needed) in ROUTES.items() if scope in needed]
        assert {status_of(program, operation, parts(operation)) for operation in needing} == {403}
        assert everything_written() == before


def test_a_scope_to_look_changes_nothing(alice: User, parts: Callable[[str], str], program_of: Callable[..., Program]) -> None:
    program = program_of(alice, scopes=[each for each in EVERY_SCOPE if each.endswith(":read")])
    writing = [operation for operation, (_m, _p, needed) in ROUTES.items() if needed and needed[0].endswith(":write")]
    assert len(writing) > 30
    assert {status_of(program, operation, parts(operation)) for operation in writing} == {403}
