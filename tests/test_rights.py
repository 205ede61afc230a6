"""Who gets through which address, for every address of a tenant and every kind of person: found by walking the resolver."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.signals import request_finished
from django.db import close_old_connections, transaction
from django.http import HttpResponseBase
from django.test import Client
from django.utils import timezone

from engines.models import Cluster, Instance, Volume
from engines.states import InstanceState
from tenants.models import Role, Tenant, User
from tests import factories
from tests.test_routes import PICTURE, ROUTES, address, everything_written, make_secret

SEE, LAUNCH, VISIT, OPERATE, WAKE, COSTS, ADMIN, OWN = "see", "launch", "visit", "operate", "wake", "costs", "admin", "own"
BUDGETS = "budgets"
ALL_COSTS = "all costs"
MINE = "mine"  # what only whoever began it may take back
NEEDS = {
    "access_tokens": SEE,
    "access_tokens_revoke": OPERATE,  # one's own, or any of the team's
    "api-token-revoke": OPERATE,
    "audit": ADMIN,
    "audit_csv": ADMIN,
    "budget": BUDGETS,
    "budget_delete": BUDGETS,
    "budget_new": BUDGETS,
    "budgets": SEE,  # that concern one, or all
    "costs": SEE,  # of one's own, or everybody's
    "costs-csv": SEE,
    "costs-export": ALL_COSTS,
    "costs-export-file": ALL_COSTS,
    "costs-export-manifest": ALL_COSTS,
    "costs-exports": ALL_COSTS,
    "costs-line": COSTS,
    "costs-lines": SEE,
    "costs-month": SEE,
    "insights": SEE,  # into one's own costs, or everybody's
    "instance": SEE,
    "instance-api": WAKE,
    "instance-costs": COSTS,
    "instance_cancel": OPERATE,
    "instance_delete": OPERATE,
    "instance_gpu_class": OPERATE,
    "instance_hand_over": OPERATE,
    "instance_keep": OPERATE,
    "instance_log": VISIT,
    "instance_log_file": VISIT,
    "instance_not_when_free": OPERATE,
    "instance_pause": OPERATE,
    "instance_rename": OPERATE,
    "instance_restart": OPERATE,
    "instance_resume": WAKE,
    "instance_schedule_add": OPERATE,
    "instance_share": OPERATE,
    "instance_share_end": OPERATE,
    "instance_share_extend": OPERATE,
    "instance_tag": OPERATE,
    "instance_when_free": OPERATE,
    "instances": SEE,
    "launch": LAUNCH,
    "limits": SEE,
    "limits_approve": ADMIN,
    "limits_ask": LAUNCH,
    "limits_pass_on": ADMIN,
    "limits_refuse": ADMIN,
    "limits_remove": ADMIN,
    "limits_set": ADMIN,
    "limits_withdraw": MINE,
    "notifications": SEE,
    "notifications_choices": SEE,
    "notifications_read": SEE,
    "notifications_unread": SEE,
    "release": SEE,
    "release_remove_own": ADMIN,
    "release_tighten": ADMIN,
    "schedule_remove": OPERATE,
    "sign_in_settings": ADMIN,
    "team": SEE,
    "team_invitation_resend": ADMIN,
    "team_invitation_revoke": ADMIN,
    "team_invite": ADMIN,
    "team_leave": SEE,
    "team_member_remove": ADMIN,
    "team_member_role": ADMIN,
    "team_schedule_add": ADMIN,
    "tenant-api": SEE,
    "tenant_settings": OWN,
    "tenant_settings_delete": OWN,
    "tenant_settings_export": OWN,
    "tenant_settings_keep": OWN,
    "volume": VISIT,
    "volume_archive": VISIT,
    "volume_delete": VISIT,
    "volume_file": VISIT,
    "volume_folder": VISIT,
    "volume_rename": VISIT,
    "volume_restore": OPERATE,
    "volume_thumbnail": VISIT,
    "volume_trash": OPERATE,
    "volume_upload": VISIT,
    "volume_usage": VISIT,
    "volumes": SEE,
    "webhook": ADMIN,
    "webhook_delete": ADMIN,
    "webhook_disable": ADMIN,
    "webhook_enable": ADMIN,
    "webhook_redeliver": ADMIN,
    "webhook_rotate": ADMIN,
    "webhook_test": ADMIN,
    "webhooks": ADMIN,
}
MEMBER = {SEE, LAUNCH}
PEOPLE: dict[str, tuple[str | None, set[str]]] = {
    "owner": (Role.MEMBER, MEMBER | {VISIT, OPERATE, WAKE, COSTS, MINE}),
    "guest": (Role.MEMBER, MEMBER | {VISIT, WAKE}),
    "guest with everybody": (Role.MEMBER, MEMBER | {VISIT, WAKE}),
    "guest whose time is over": (Role.MEMBER, MEMBER),
    "guest no longer": (Role.MEMBER, MEMBER),
    "colleague": (Role.MEMBER, MEMBER),
    "admin": (Role.ADMIN, MEMBER | {OPERATE, WAKE, COSTS, BUDGETS, ALL_COSTS, ADMIN}),
    "owner of the tenant": (Role.OWNER, MEMBER | {OPERATE, WAKE, COSTS, BUDGETS, ALL_COSTS, ADMIN, OWN}),
    "admin and guest": (Role.ADMIN, MEMBER | {VISIT, OPERATE, WAKE, COSTS, BUDGETS, ALL_COSTS, ADMIN}),
    "finance": (Role.FINANCE, {SEE, COSTS, BUDGETS, ALL_COSTS}),
    "viewer": (Role.VIEWER, {SEE}),
    "viewer and guest": (Role.VIEWER, {SEE}),
    "stranger": (None, set()),
    "operator": (None, set()),  # has the admin; a member of nothing
    "anonymous": (None, set()),
}
SIGN_IN = 401  # what stands here for being sent to sign in
REFUSED, ANSWERED = {403, 404}, {200, 302, 422}
NOTHING_FOR = {"stranger": {404}, "operator": {404}, "anonymous": {SIGN_IN}}


@pytest.fixture
def instance(acme: Tenant, alice: User, cluster: Cluster) -> Instance:
    return make_secret(acme, alice, cluster)


@pytest.fixture
def make_person(acme: Tenant, alice: User, bob: User, olga: User, instance: Instance) -> Callable[[str], User]:
    def make(kind: str) -> User:
        known = {"owner": alice, "stranger": bob, "operator": olga}
        if kind in known:
            return known[kind]
        user, now = factories.make_user("carol"), timezone.now()
        factories.join(user, acme, PEOPLE[kind][0] or Role.MEMBER)
        if kind == "guest with everybody":
            factories.share(instance)
        elif kind == "guest whose time is over":
            factories.share(instance, user, created_at=now - timedelta(days=2), until=now - timedelta(seconds=1))
        elif kind == "guest no longer":
            factories.share(instance, user, ended_at=now, ended_by=alice)
        elif "guest" in kind:
            factories.share(instance, user, until=now + timedelta(hours=1))
        return user

    return make


def test_every_route_says_what_it_needs() -> None:
    assert {name for name, _route in ROUTES} == set(NEEDS)


@pytest.mark.parametrize("kind", PEOPLE)
def test_everybody_gets_as_far_as_they_may(
    kind: str,
    instance: Instance,
    make_person: Callable[[str], User],
    client: Client,
) -> None:
    if kind != "anonymous":
        client.force_login(make_person(kind))
    allowed, got_through, stopped = PEOPLE[kind][1], set(), set()
    before = everything_written()
    for name, route in ROUTES:
        with transaction.atomic():
            statuses = statuses_of(client, address(name, route, instance))
            transaction.set_rollback(NEEDS[name] in allowed)  # each begins as the one before
        (stopped if statuses <= NOTHING_FOR.get(kind, REFUSED) else got_through).add(name)
        assert statuses <= REFUSED or statuses <= ANSWERED or statuses == {SIGN_IN}
    assert got_through == {name for name, needed in NEEDS.items() if needed in allowed}
    assert stopped == set(NEEDS) - got_through
    assert everything_written() == before


def statuses_of(client: Client, url: str) -> set[int]:
    """What an address answers to looking and to sending, apart from its not being meant for one of them."""
    answers = [client.get(url), client.post(url, {"name": "Mine now", "volume": "keep", "path": "", "sure": "1"})]
    # Whatever streams is left as a server leaves it; only the connection of this test stays, as the client keeps it elsewhere.
    request_finished.disconnect(close_old_connections)
    for answer in answers:
        answer.close()
    request_finished.connect(close_old_connections)
    return {SIGN_IN if sent_to_sign_in(answer) else answer.status_code for answer in answers} - {405}


def sent_to_sign_in(answer: HttpResponseBase) -> bool:
    return answer.status_code == 302 and answer["Location"].startswith("/accounts/login/?next=")


@pytest.mark.parametrize("kind", sorted(set(PEOPLE) - {"operator", "anonymous"}))
def test_whoever_may_not_visit_is_shown_no_way_in(
    kind: str,
    instance: Instance,
    make_person: Callable[[str], User],
    client: Client,
) -> None:
    """Neither the list nor any tab leads into the engine or to its pictures; the state is for everybody of the tenant."""
    allowed = PEOPLE[kind][1]
    client.force_login(make_person(kind))
    page = f"/acme/instances/{instance.slug}/"
    addresses = ["/acme/", "/acme/data/", *(f"{page}?tab={tab}" for tab in ("overview", "timeline", "log", "files", "access"))]
    shown = "".join(client.get(each).content.decode() for each in addresses)
    assert (f"{instance.slug}.engines" in shown) == (VISIT in allowed)
    assert (PICTURE in shown) == (VISIT in allowed)
    assert (f"{page}log/" in shown) == (VISIT in allowed)
    assert (f"{page}pause/" in shown) == (OPERATE in allowed)
    assert (f"{page}share/" in shown) == (OPERATE in allowed)
    assert ("shared with you" in shown) == (VISIT in allowed and kind != "owner")
    assert ("Running" in shown) == (SEE in allowed)


@pytest.mark.parametrize("kind", sorted(set(PEOPLE) - {"operator", "anonymous"}))
def test_nobody_enters_in_a_suspended_tenant(
    kind: str,
    instance: Instance,
    make_person: Callable[[str], User],
    client: Client,
) -> None:
    client.force_login(make_person(kind))
    Tenant.objects.update(suspended_at=timezone.now())
    page = client.get(f"/acme/instances/{instance.slug}/log.txt")
    assert page.status_code == (404 if kind == "stranger" else 403)
    assert client.get(f"/acme/data/{instance.volume.slug}/").status_code == page.status_code


def test_data_of_another_owner_does_not_open_with_the_data_that_is_shared(
    instance: Instance,
    alice: User,
    cluster: Cluster,
    make_person: Callable[[str], User],
    client: Client,
) -> None:
    other = factories.make_instance(instance.tenant, alice, cluster, state=InstanceState.RUNNING)
    client.force_login(make_person("guest"))
    assert client.get(f"/acme/data/{instance.volume.slug}/").status_code == 200
    assert client.get(f"/acme/data/{other.volume.slug}/").status_code == 403
    assert Volume.objects.count() == 2
