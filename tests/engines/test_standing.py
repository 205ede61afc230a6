"""What runs follows how tenants and memberships stand."""

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from engines.clusters import get_cluster
from engines.models import Instance, InstanceEvent, Volume
from engines.operations.instances import launch_instance, pause_instance, resume_instance
from engines.reconcile import reconcile
from engines.standing import follow_tenants
from engines.states import DesiredState, InstanceState
from engines.sweeping import purge_trash
from tenants import access
from tenants.errors import NotAllowed
from tenants.models import Membership, Role, Tenant
from tenants.team.operations import leave, remove_member
from tenants.team.operations_tenant import ask_for_deletion, end_due_tenants, resume_tenant, suspend_tenant
from tests import factories


@pytest.fixture
def operator(olga, acme):
    return access.as_operator(olga, acme, permission="tenants.change_tenant")


@pytest.fixture
def instance(alice_in_acme, engine_version, gpu_class, cluster):
    return launch_instance(membership=alice_in_acme, engine_version=engine_version, gpu_class=gpu_class, name="Dragon")


def seen(instance):
    instance.refresh_from_db()
    return instance.desired_state, instance.wish_reason


def wishes(instance):
    events = instance.events.filter(kind=InstanceEvent.Kind.WISH).order_by("pk")
    return list(events.values_list("reason", "actor__username"))


@pytest.mark.parametrize("state", [InstanceState.QUEUED, InstanceState.STARTING, InstanceState.RUNNING])
def test_a_suspended_tenant_runs_and_waits_for_nothing(state, instance, operator):
    Instance.objects.update(state=state)
    suspend_tenant(by=operator, reason="The bill is not paid")
    follow_tenants()
    assert seen(instance) == ("stopped", "tenant_suspended")
    assert wishes(instance) == [("launched", "alice"), ("tenant_suspended", None)]
    generation = instance.generation
    follow_tenants()
    assert seen(instance) == ("stopped", "tenant_suspended")
    assert instance.generation == generation


def test_a_queued_launch_is_cancelled_and_says_why(instance, operator):
    suspend_tenant(by=operator, reason="The bill is not paid")
    follow_tenants()
    assert reconcile(instance.pk)
    instance.refresh_from_db()
    assert instance.state == "stopped"
    assert str(instance.explanation.sentence) == "The tenant is suspended, so its GPU was released. The data is kept."
    assert Volume.objects.get().state == "active"


def test_wakes_are_refused_and_what_slipped_through_is_released(instance, alice, alice_in_acme, operator):
    """Whoever asked a moment before the suspension is found by the next look."""
    pause_instance(instance=instance, by=alice_in_acme)
    suspend_tenant(by=operator, reason="The bill is not paid")
    with pytest.raises(NotAllowed):
        resume_instance(instance=instance, by=access.membership_in(alice, "acme"))
    resume_instance(instance=instance, by=alice_in_acme)  # as it was read before
    follow_tenants()
    assert seen(instance) == ("stopped", "tenant_suspended")


def test_after_the_suspension_engines_start_when_somebody_asks(instance, alice, operator):
    suspend_tenant(by=operator, reason="The bill is not paid")
    follow_tenants()
    reconcile(instance.pk)
    resume_tenant(by=operator)
    follow_tenants()
    assert seen(instance)[0] == "stopped"
    instance.refresh_from_db()
    resume_instance(instance=instance, by=access.membership_in(alice, "acme"))
    follow_tenants()
    assert seen(instance) == ("running", "resumed")


def test_what_failed_keeps_its_reason(instance, operator):
    Instance.objects.update(state=InstanceState.FAILED, reason="out_of_memory", settled_generation=instance.generation)
    suspend_tenant(by=operator, reason="The bill is not paid")
    follow_tenants()
    instance.refresh_from_db()
    assert (instance.state, instance.reason, instance.desired_state) == ("failed", "out_of_memory", "running")


def test_others_run_on(instance, operator, bolt, bob, cluster):
    other = factories.make_instance(bolt, bob, cluster, state=InstanceState.RUNNING)
    suspend_tenant(by=operator, reason="The bill is not paid")
    follow_tenants()
    assert seen(other)[0] == "running"


@pytest.mark.parametrize("how", ["removed", "left", "disabled", "lapsed"])
def test_what_runs_for_somebody_who_left_is_released_and_stays_theirs(how, instance, alice, alice_in_acme, anna_in_acme):
    if how == "removed":
        remove_member(member=alice_in_acme, by=anna_in_acme)
    elif how == "left":
        leave(member=alice_in_acme)
    elif how == "lapsed":
        Membership.objects.filter(pk=alice_in_acme.pk).update(lapsed_at=timezone.now())
    else:
        type(alice).objects.filter(pk=alice.pk).update(is_active=False)
    follow_tenants()
    assert seen(instance) == ("stopped", "owner_left")
    assert (instance.owner, instance.volume.owner, instance.volume.state) == (alice, alice, "active")


def test_an_admin_may_run_it_all_the_same(instance, alice_in_acme, anna_in_acme):
    remove_member(member=alice_in_acme, by=anna_in_acme)
    follow_tenants()
    reconcile(instance.pk)
    instance.refresh_from_db()
    resume_instance(instance=instance, by=anna_in_acme)
    follow_tenants()
    assert seen(instance) == ("running", "resumed")


def test_until_a_tenant_is_deleted_nothing_of_it_is(instance, anna_in_acme):
    ask_for_deletion(by=anna_in_acme, name="Acme Studio")
    follow_tenants()
    assert seen(instance) == ("stopped", "tenant_ending")
    assert end_due_tenants(timezone.now()) == 0
    follow_tenants()
    assert Counter(Volume.objects.values_list("state", flat=True)) == {"active": 1}


def test_a_deleted_tenant_leaves_no_engine_and_no_data(instance, alice_in_acme, anna_in_acme, cluster):
    kept = factories.make_volume(anna_in_acme.tenant, anna_in_acme.user, cluster)
    trashed = factories.make_volume(
        anna_in_acme.tenant, anna_in_acme.user, cluster, state="trashed", purge_at=timezone.now() + timedelta(days=5)
    )
    ask_for_deletion(by=anna_in_acme, name="Acme Studio")
    follow_tenants()
    reconcile(instance.pk)
    Tenant.objects.update(deletion_due_at=timezone.now())
    assert end_due_tenants(timezone.now()) == 1
    follow_tenants()
    assert seen(instance) == ("deleted", "tenant_deleted")
    assert not Volume.objects.filter(pk=instance.volume_id).exclude(state="active").exists()  # its instance still has it
    reconcile(instance.pk)
    reconcile(instance.pk)
    Instance.objects.update(state=InstanceState.DELETED)
    follow_tenants()
    purge_trash()
    assert dict(Volume.objects.values_list("pk", "state")) == dict.fromkeys([instance.volume_id, kept.pk, trashed.pk], "deleted")
    assert not Membership.objects.exists()
    assert Instance.objects.filter(desired_state=DesiredState.DELETED).count() == 1


def test_a_guest_who_woke_it_keeps_it_on(instance, alice, alice_in_acme, anna_in_acme, acme):
    carol = factories.join(factories.make_user("carol"), acme, Role.MEMBER)
    factories.share(instance, carol.user)
    pause_instance(instance=instance, by=alice_in_acme)
    resume_instance(instance=instance, by=carol)
    remove_member(member=alice_in_acme, by=anna_in_acme)
    follow_tenants()
    assert seen(instance) == ("running", "resumed")


def test_before_a_deletion_people_take_their_files_along_and_change_nothing(acme, alice, anna, cluster, client):
    volume = factories.make_volume(acme, alice, cluster)
    get_cluster(cluster).ensure_volume(volume.ref, tenant="acme", size_gib=1)
    picture = Path(cluster.config["root"]) / "volumes" / volume.ref.name / "dragon.png"
    picture.write_bytes(b"a dragon")
    Volume.objects.update(provisioned_at=timezone.now())
    ask_for_deletion(by=access.membership_in(anna, "acme"), name="Acme Studio")
    client.force_login(alice)
    page = client.get(f"/acme/data/{volume.slug}/").content.decode()
    assert ("dragon.png" in page, "/upload/" in page, "in the trash" in page) == (True, False, False)
    taken = client.get(f"/acme/data/{volume.slug}/file/?path=dragon.png")
    assert b"".join(taken.streaming_content) == b"a dragon"
    for change in ("delete", "folder", "rename"):
        answer = client.post(f"/acme/data/{volume.slug}/{change}/", {"names": "dragon.png", "name": "x", "sure": "1", "to": "x"})
        assert answer.status_code in {403, 422}
    assert [each.name for each in picture.parent.iterdir()] == ["dragon.png"]
    client.force_login(anna)
    assert client.get(f"/acme/data/{volume.slug}/").status_code == 403
