"""Everything that can be sent to an address of a tenant leaves an event in the audit log, or says here why it does not."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.signals import request_finished
from django.db import close_old_connections, transaction
from django.http import HttpResponseBase
from django.test import Client
from django.utils import timezone

from engines.models import Cluster, Engine, EngineVersion, GpuClass, IdleRule, Instance, Use, Volume
from engines.release.knowing import use_of
from engines.states import DesiredState, InstanceState
from tenants.audit.models import AuditEvent
from tenants.models import Tenant, User
from tests import factories
from tests.test_routes import PICTURE, ROUTES, address, make_secret

NOT_AUDITED = {
    "notifications_choices": "of one's own mail alone",
    "notifications_read": "of one's own notifications alone",
    "volume_folder": "as an engine does all the time, and nothing is lost",
    "volume_rename": "as an engine does all the time, and nothing is lost",
    "volume_upload": "comes in hundreds of pieces; what is lost or taken away is recorded",
    "webhook_redeliver": "sends again what was sent, to where it was sent",
    "webhook_test": "sends nothing of the tenant's",
}
WEEKLY = {"action": "stop", "at": "18:00", "time_zone": "UTC", "days": ["0", "1"]}
LIMITS = {"idle_minutes": "5", "maximum_keep_minutes": "30"}
HOOK = {"url": "https://hooks.example.org/new", "kinds": ["instance_failed"]}
EXPORT = {"format": "csv", "first_day": "2026-03-01", "last_day": "2026-03-31", "basis": "usage", "detail": "net"}
TOKEN = {"name": "render farm", "scope": "use", "days": "30"}

Prepare = Callable[[Instance], dict[str, Any]]


def stopped(instance: Instance) -> dict[str, Any]:
    Instance.objects.filter(pk=instance.pk).update(state=InstanceState.STOPPED, desired_state=DesiredState.STOPPED)
    return {}


def starting(instance: Instance) -> dict[str, Any]:
    Instance.objects.filter(pk=instance.pk).update(state=InstanceState.STARTING)
    return {}


def another_class(instance: Instance) -> dict[str, Any]:
    stopped(instance)
    other = factories.make_gpu_class("cpu-large")
    instance.cluster.capacities.create(gpu_class=other, slots=1)
    return {"gpu_class": other.pk}


def shared(instance: Instance) -> dict[str, Any]:
    return {"share": factories.share(instance, colleague(instance), until=timezone.now() + timedelta(hours=1)).pk, "ends": "open"}


def colleague(instance: Instance) -> User:
    carol = factories.make_user("carol")
    factories.join(carol, instance.tenant)
    return carol


def unused(instance: Instance) -> dict[str, Any]:
    Instance.objects.filter(pk=instance.pk).update(state=InstanceState.DELETED)
    return {}


def trashed(instance: Instance) -> dict[str, Any]:
    unused(instance)
    Volume.objects.update(state=Volume.State.TRASHED, purge_at=timezone.now() + timedelta(days=1))
    return {}


def when_free(instance: Instance) -> dict[str, Any]:
    Use.objects.filter(pk=use_of(instance).pk).update(when_free=True)
    return {}


def can_be_asked(instance: Instance) -> dict[str, Any]:
    """Of a family whose engines say whether they work."""
    Engine.objects.filter(versions__instances=instance).update(family="comfyui")
    return {}


def limited(instance: Instance) -> dict[str, Any]:
    IdleRule.objects.create(name="own", tenant=instance.tenant, author=IdleRule.Author.TENANT)
    return {}


def launchable(instance: Instance) -> dict[str, Any]:
    version, gpu_class = EngineVersion.objects.get(pk=instance.engine_version_id), GpuClass.objects.get(pk=instance.gpu_class_id)
    chosen = {"engine": version.engine.slug, "version": version.version, "gpu_class": gpu_class.slug}
    return chosen | {"name": "Wyvern", "storage": "new", "size_gib": "1"}


def of_colleague(instance: Instance) -> dict[str, Any]:
    instance.owner = colleague(instance)
    return {"role": "viewer", "sure": "1"}


def one_of_two_owners(instance: Instance) -> dict[str, Any]:
    instance.tenant.memberships.filter(user=colleague(instance)).update(role="owner")
    return {}


def nothing_asked_yet(instance: Instance) -> dict[str, Any]:
    instance.tenant.quota_requests.update(state="refused")
    return {"measure": "gpus", "amount": "9", "reason": "A film"}


def to_be_deleted(instance: Instance) -> dict[str, Any]:
    Tenant.objects.filter(pk=instance.tenant_id).update(deletion_due_at=timezone.now() + timedelta(days=1))
    return {}


ACCESS = {"name": "nightly batch", "acts": "here", "days": "30", "scopes": ["instances:read"]}
BUDGET = {"name": "Spring campaign", "scope": "tenant", "amount": "900", "recurrence": "month", "thresholds": "50, 100"}
BUDGET |= {"basis": "actual", "action": "block", "grace_minutes": "30", "active": "on"}
AUDITED: dict[str, tuple[str, Prepare | dict[str, Any]]] = {
    "access_tokens": ("access_token.made", ACCESS),
    "access_tokens_revoke": ("access_token.revoked", {}),
    "api-token-revoke": ("api_token.revoked", {}),
    "budget": ("budget.changed", BUDGET),
    "budget_delete": ("budget.deleted", {}),
    "budget_new": ("budget.made", BUDGET),
    "costs-exports": ("costs.exported", EXPORT),
    "instance-api": ("api_token.made", TOKEN),
    "instance_cancel": ("instance.cancelled", starting),
    "instance_delete": ("instance.deleted", {"volume": "keep"}),
    "instance_gpu_class": ("instance.class_changed", another_class),
    "instance_hand_over": ("instance.handed_over", lambda instance: {"to": colleague(instance).pk}),
    "instance_keep": ("instance.kept", {"minutes": "60"}),
    "instance_not_when_free": ("instance.not_when_free", when_free),
    "instance_pause": ("instance.paused", {}),
    "instance_rename": ("instance.renamed", {"name": "Wyvern"}),
    "instance_restart": ("instance.restarted", {}),
    "instance_resume": ("instance.resumed", stopped),
    "instance_schedule_add": ("release.schedule_added", WEEKLY),
    "instance_share": ("instance.shared", lambda instance: {"guest": colleague(instance).pk, "ends": "week"}),
    "instance_share_end": ("instance.share_ended", shared),
    "instance_share_extend": ("instance.share_changed", shared),
    "instance_tag": ("instance.tag_changed", {"tag": "Spring"}),
    "instance_when_free": ("instance.when_free", can_be_asked),
    "launch": ("instance.launched", launchable),
    "limits_approve": ("quota_request.approved", {"amount": "3"}),
    "limits_ask": ("quota_request.asked", nothing_asked_yet),
    "limits_pass_on": ("quota_request.passed_on", {}),
    "limits_refuse": ("quota_request.refused", {"word": "No"}),
    "limits_remove": ("quota.removed", {}),
    "limits_set": ("quota.set", {"whom": "team", "measure": "gpus", "amount": "9"}),
    "limits_withdraw": ("quota_request.withdrawn", {}),
    "release_remove_own": ("release.limits_removed", limited),
    "release_tighten": ("release.limits_set", LIMITS),
    "schedule_remove": ("release.schedule_removed", {}),
    "team_invitation_resend": ("invitation.sent_again", {}),
    "team_invitation_revoke": ("invitation.revoked", {}),
    "team_invite": ("invitation.sent", {"address": "new@example.org", "role": "member"}),
    "team_leave": ("member.left", one_of_two_owners),
    "team_member_remove": ("member.removed", of_colleague),
    "team_member_role": ("member.role_changed", of_colleague),
    "tenant_settings": ("tenant.renamed", {"name": "Acme Pictures"}),
    "tenant_settings_delete": ("tenant.deletion_asked", {"name": "Acme Studio"}),
    "tenant_settings_keep": ("tenant.kept", to_be_deleted),
    "team_schedule_add": ("release.schedule_added", WEEKLY),
    "tenant-api": ("api_token.made", TOKEN),
    "volume_archive": ("volume.archived", {"path": "", "name": PICTURE}),
    "volume_delete": ("volume.files_deleted", {"path": "", "name": PICTURE, "sure": "1"}),
    "volume_restore": ("volume.restored", trashed),
    "volume_trash": ("volume.trashed", unused),
    "webhook": ("webhook.changed", HOOK),
    "webhook_delete": ("webhook.deleted", {}),
    "webhook_disable": ("webhook.disabled", {}),
    "webhook_enable": ("webhook.enabled", {}),
    "webhook_rotate": ("webhook.rotated", {}),
    "webhooks": ("webhook.added", HOOK),
}
ANYBODYS = {"access_tokens", "team_leave"}
"""What even a viewer may do: about oneself alone."""
READ = {
    "audit_csv": "audit.exported",
    "costs-csv": "costs.exported",
    "costs-export-file": "costs.exported",
    "instance_log_file": "instance.log_taken",
}
"""What is only looked at, and yet taken out of the portal."""


def finish(answer: HttpResponseBase) -> None:
    """End what streams as a server does; the connection of this test stays, as the client keeps it elsewhere."""
    request_finished.disconnect(close_old_connections)
    answer.close()
    request_finished.connect(close_old_connections)


@pytest.fixture
def instance(acme: Tenant, anna: User, cluster: Cluster) -> Instance:
    return make_secret(acme, anna, cluster)


def test_everything_that_takes_a_post_is_named_here(instance: Instance, anna: User, client: Client) -> None:
    client.force_login(anna)
    taking = set()
    for name, route in ROUTES:
        with transaction.atomic():
            answer = client.post(address(name, route, instance))
            finish(answer)
            if answer.status_code != 405:
                taking.add(name)
            transaction.set_rollback(True)
    looked_at = {name for name, _route in ROUTES} - set(AUDITED) - set(NOT_AUDITED)
    assert set(AUDITED) | set(NOT_AUDITED) <= taking
    assert taking & looked_at == LOOKED_AT_BY_POST


LOOKED_AT_BY_POST = {
    *("costs", "costs-csv", "costs-line", "costs-lines", "costs-month", "instance-costs"),
    *("insights", "instance", "instances", "notifications", "volumes"),
}
"""Pages that answer a POST as they answer a look."""


@pytest.mark.parametrize("name", AUDITED)
def test_what_is_done_is_recorded_once(name: str, instance: Instance, anna: User, client: Client) -> None:
    kind, given = AUDITED[name]
    data = given(instance) if callable(given) else given
    url = address(name, dict(ROUTES)[name], instance)
    client.force_login(anna)
    before = set(AuditEvent.objects.values_list("pk", flat=True))
    answer = client.post(url, data, REMOTE_ADDR="192.0.2.7")
    assert answer.status_code in {200, 302}, answer.content.decode()[:2000]
    finish(answer)
    event = AuditEvent.objects.exclude(pk__in=before).get(kind=kind)
    assert (event.kind, event.actor, event.tenant, event.behind) == (kind, anna, instance.tenant, None)
    assert (event.via, event.address) == ("portal", "192.0.2.7")


@pytest.mark.parametrize("name", READ)
def test_what_is_taken_out_is_recorded(name: str, instance: Instance, anna: User, client: Client) -> None:
    url = address(name, dict(ROUTES)[name], instance)
    client.force_login(anna)
    finish(client.get(url))
    events = AuditEvent.objects.filter(actor=anna, kind=READ[name])
    assert events.count() == 1


@pytest.mark.parametrize("name", sorted(AUDITED.keys() - ANYBODYS))
def test_what_is_refused_is_not_recorded(name: str, instance: Instance, client: Client) -> None:
    viewer = factories.make_user("vera")
    factories.join(viewer, instance.tenant, "viewer")
    client.force_login(viewer)
    before = AuditEvent.objects.count()
    given = AUDITED[name][1]
    answer = client.post(address(name, dict(ROUTES)[name], instance), {} if callable(given) else given)
    assert answer.status_code in {403, 404}
    assert AuditEvent.objects.count() == before
