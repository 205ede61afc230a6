"""What people may ask, what is refused in which words, and that a refusal writes nothing."""

from datetime import timedelta

import pytest
from django.utils import timezone

from engines.errors import NameTaken, Unavailable
from engines.models import Engine, EngineVersion, Instance, InstanceEvent, Volume
from engines.operations import instances, volumes
from engines.states import DesiredState, InstanceState
from tenants.errors import NotAllowed, NotVisible, QuotaExceeded
from tenants.models import Role
from tests import factories


@pytest.fixture
def launch(alice_in_acme, engine_version, gpu_class, cluster):
    """Launch as alice, with whatever is given otherwise."""

    def run(**choices):
        defaults = {"membership": alice_in_acme, "engine_version": engine_version, "gpu_class": gpu_class, "name": "Dragon"}
        return instances.launch_instance(**defaults | choices)

    return run


def refusal(call) -> str:
    """Return the sentence of the refusal, having checked that nothing was written."""
    before = counts()
    with pytest.raises((NameTaken, Unavailable, QuotaExceeded, NotAllowed, NotVisible)) as refused:
        call()
    assert counts() == before
    return str(refused.value)


def counts():
    wishes = sorted(Instance.objects.values_list("pk", "generation", "desired_state"))
    return wishes, Volume.objects.count(), InstanceEvent.objects.count()


def test_launch_writes_the_wish_the_volume_and_the_event(launch, alice, acme, cluster, engine_version, gpu_class):
    instance = launch(name="  Dragon   No. 1 ", size_gib=20)
    instance.refresh_from_db()
    assert (instance.state, instance.desired_state, instance.generation) == ("queued", "running", 1)
    assert (instance.tenant, instance.owner, instance.name) == (acme, alice, "Dragon No. 1")
    assert (instance.engine_version, instance.gpu_class, instance.cluster) == (engine_version, gpu_class, cluster)
    assert (instance.volume.name, instance.volume.size_gib, instance.volume.owner) == ("Dragon No. 1", 20, alice)
    [event] = instance.events.all()
    assert (event.kind, event.reason, event.actor) == ("wish", "launched", alice)


def test_launch_enqueues_one_hint_after_commit(launch, valkey, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as callbacks:
        launch()
    assert len(callbacks) == 2  # the hint, the announcement


@pytest.mark.parametrize("name", ["dragon", "DRAGON", " Dragon "])
def test_a_name_is_taken_whatever_its_case(launch, name):
    launch()
    assert refusal(lambda: launch(name=name)) == f"Acme Studio already has an instance named “{name.strip()}”."


def test_a_name_is_needed_and_not_too_long(launch):
    assert refusal(lambda: launch(name="  ")) == "Give it a name."
    assert refusal(lambda: launch(name="x" * 61)) == "The name is longer than 60 characters."


def test_two_tenants_may_use_one_name(launch, bob_in_bolt):
    launch()
    assert launch(membership=bob_in_bolt).name == "Dragon"


def test_quota_of_running_instances(launch, acme):
    factories.cap(acme, running=1)
    first = launch()
    assert "limit of 1 running instances" in refusal(lambda: launch(name="Second"))
    Instance.objects.filter(pk=first.pk).update(state=InstanceState.FAILED, settled_generation=1)
    launch(name="Second")


def test_quota_of_instances(launch, acme):
    factories.cap(acme, instances=1)
    first = launch()
    assert "limit of 1 instances" in refusal(lambda: launch(name="Second"))
    Instance.objects.filter(pk=first.pk).update(state=InstanceState.DELETED)
    launch(name="Second")


def test_quota_of_a_gpu_class(launch, gpu_class):
    gpu_class.max_per_tenant = 1
    gpu_class.save()
    launch()
    assert "limit of 1 running instances on cpu-small for Acme Studio" in refusal(lambda: launch(name="Second"))


def test_a_draft_cannot_be_launched(launch):
    draft = factories.make_engine_version(status=EngineVersion.Status.DRAFT)
    assert refusal(lambda: launch(engine_version=draft)) == "This engine version is not published."


def test_a_class_without_capacity_is_refused(launch, engine_version):
    nowhere = factories.make_gpu_class("h100", name="H100")
    sentence = f"There is no H100 for {engine_version} on any cluster now. Choose another GPU class or version."
    assert refusal(lambda: launch(gpu_class=nowhere)) == sentence


def test_an_image_is_not_launched_where_only_commands_run(launch):
    image = factories.make_engine_version(image="registry.example.org/engine:1", command=[])
    assert "There is no cpu-small for" in refusal(lambda: launch(engine_version=image))


def test_a_disabled_cluster_takes_no_launches(launch, cluster):
    cluster.enabled = False
    cluster.save()
    assert " on any cluster now." in refusal(launch)


def test_launch_goes_where_most_is_free(launch, make_cluster):
    large = make_cluster(slots=9)
    assert launch().cluster == large


@pytest.mark.parametrize("role", [Role.FINANCE, Role.VIEWER])
def test_who_only_looks_cannot_launch(launch, alice_in_acme, role):
    alice_in_acme.role = role
    assert refusal(launch) == "Your role in Acme Studio does not allow this."


def test_a_suspended_tenant_cannot_launch(launch, alice_in_acme):
    alice_in_acme.tenant.suspended_at = timezone.now()
    assert refusal(launch) == "Acme Studio is suspended. Its data is kept."


@pytest.fixture
def instance(acme, alice, cluster):
    return factories.make_instance(acme, alice, cluster, state=InstanceState.RUNNING, name="Dragon")


WISHES = {
    "pause": lambda instance, by: instances.pause_instance(instance=instance, by=by),
    "resume": lambda instance, by: instances.resume_instance(instance=instance, by=by),
    "restart": lambda instance, by: instances.restart_instance(instance=instance, by=by),
    "cancel": lambda instance, by: instances.cancel_launch(instance=instance, by=by),
    "rename": lambda instance, by: instances.rename_instance(instance=instance, by=by, name="Wolf"),
    "class": lambda instance, by: instances.change_gpu_class(instance=instance, by=by, gpu_class=instance.gpu_class),
    "delete": lambda instance, by: instances.delete_instance(instance=instance, by=by, keep_volume=False),
}


@pytest.mark.parametrize("wish", WISHES.values(), ids=WISHES)
def test_a_stranger_can_ask_nothing(instance, bob_in_bolt, wish):
    assert refusal(lambda: wish(instance, bob_in_bolt)) == "There is nothing here, or it is not yours."


@pytest.mark.parametrize("wish", WISHES.values(), ids=WISHES)
def test_a_colleague_can_ask_nothing_either(instance, acme, wish):
    carol = factories.join(factories.make_user("carol"), acme)
    assert refusal(lambda: wish(instance, carol)) == "Only its owner or an admin of Acme Studio may do this."


@pytest.mark.parametrize("wish", WISHES.values(), ids=WISHES)
def test_nothing_can_be_asked_of_what_is_being_deleted(instance, alice_in_acme, wish):
    Instance.objects.filter(pk=instance.pk).update(desired_state=DesiredState.DELETED)
    assert refusal(lambda: wish(instance, alice_in_acme)) == "Dragon is being deleted."


def test_an_admin_operates_everybodys(instance, anna_in_acme):
    instances.pause_instance(instance=instance, by=anna_in_acme)
    instance.refresh_from_db()
    assert (instance.desired_state, instance.generation) == ("stopped", 2)
    assert instance.events.get().actor == anna_in_acme.user


def test_pause_and_resume_twice_is_once(instance, alice_in_acme):
    for _ in range(2):
        instances.pause_instance(instance=instance, by=alice_in_acme)
    for _ in range(2):
        instances.resume_instance(instance=instance, by=alice_in_acme)
    instance.refresh_from_db()
    assert (instance.desired_state, instance.generation, instance.restart_due) == ("running", 3, False)
    assert list(instance.events.values_list("reason", flat=True)) == ["paused", "resumed"]


def test_resume_needs_room(instance, alice_in_acme, acme, alice, cluster):
    Instance.objects.filter(pk=instance.pk).update(state="stopped", desired_state="stopped")
    factories.make_instance(acme, alice, cluster, state="running")
    factories.cap(acme, running=1)
    assert "limit of 1 running instances" in refusal(lambda: WISHES["resume"](instance, alice_in_acme))


def test_retry_after_a_failure(instance, alice_in_acme):
    Instance.objects.filter(pk=instance.pk).update(state="failed", settled_generation=1)
    for _ in range(2):
        WISHES["resume"](instance, alice_in_acme)
    instance.refresh_from_db()
    assert (instance.generation, instance.retry_due) == (2, True)
    assert list(instance.events.values_list("reason", flat=True)) == ["retried"]


def test_restart_asks_for_a_fresh_run(instance, alice_in_acme):
    Instance.objects.filter(pk=instance.pk).update(applied_generation=1)
    WISHES["restart"](instance, alice_in_acme)
    instance.refresh_from_db()
    assert (instance.generation, instance.restart_generation, instance.restart_due) == (2, 2, True)


@pytest.mark.parametrize("state", ["queued", "starting", "stopping", "stopped", "failed"])
def test_only_what_runs_can_be_restarted(instance, alice_in_acme, state):
    Instance.objects.filter(pk=instance.pk).update(state=state)
    assert "Dragon does not run" in refusal(lambda: WISHES["restart"](instance, alice_in_acme))


@pytest.mark.parametrize("state", ["queued", "provisioning", "starting"])
def test_cancel_while_coming_up(instance, alice_in_acme, state):
    Instance.objects.filter(pk=instance.pk).update(state=state)
    WISHES["cancel"](instance, alice_in_acme)
    instance.refresh_from_db()
    assert instance.desired_state == "stopped"
    assert instance.events.get().reason == "cancelled"


def test_cancel_is_refused_once_it_runs(instance, alice_in_acme):
    assert refusal(lambda: WISHES["cancel"](instance, alice_in_acme)) == "Dragon is no longer starting. Pause it instead."


def test_rename(instance, alice_in_acme, acme, alice, cluster):
    factories.make_instance(acme, alice, cluster, name="Taken")
    rename = instances.rename_instance
    assert "already has an instance" in refusal(lambda: rename(instance=instance, by=alice_in_acme, name="TAKEN"))
    rename(instance=instance, by=alice_in_acme, name="dragon")
    instance.refresh_from_db()
    assert (instance.name, instance.generation) == ("dragon", 1)
    assert instance.events.get().evidence == "Dragon → dragon"


def test_change_gpu_class(instance, alice_in_acme, cluster, make_cluster):
    large = factories.make_gpu_class("cpu-large")
    change = instances.change_gpu_class
    assert "Pause Dragon first" in refusal(lambda: change(instance=instance, by=alice_in_acme, gpu_class=large))
    Instance.objects.filter(pk=instance.pk).update(state="failed", settled_generation=1)
    assert "There is no cpu-large for" in refusal(lambda: change(instance=instance, by=alice_in_acme, gpu_class=large))
    cluster.capacities.create(gpu_class=large, slots=1)
    change(instance=instance, by=alice_in_acme, gpu_class=large)
    instance.refresh_from_db()
    assert (instance.gpu_class, instance.retry_due) == (large, False)


def test_delete_puts_the_data_into_the_trash_with_a_date(instance, alice_in_acme, settings):
    settings.TRASH_DAYS = 3
    instances.delete_instance(instance=instance, by=alice_in_acme, keep_volume=False)
    instance.refresh_from_db()
    volume = instance.volume
    assert (instance.desired_state, volume.state) == ("deleted", "trashed")
    assert timedelta(days=2.9) < volume.purge_at - timezone.now() <= timedelta(days=3)


def test_delete_may_keep_the_data_for_another_launch(instance, alice_in_acme, launch, engine_version):
    volume = instance.volume
    instances.delete_instance(instance=instance, by=alice_in_acme, keep_volume=True)
    attach = lambda **choices: launch(name="Next", volume=volume, **choices)  # noqa: E731
    assert refusal(attach) == f"“{volume.name}” is in use by Dragon."
    Instance.objects.filter(pk=instance.pk).update(state="deleted")
    assert attach().volume == volume


def test_data_of_another_engine_is_refused(launch, acme, alice, cluster, engine_version):
    other = factories.make_engine_version(engine=Engine.objects.create(slug="other", name="Other"), version="9")
    volume = factories.make_volume(acme, alice, cluster, name="Old", written_by=other)
    assert refusal(lambda: launch(volume=volume)) == f"“Old” was written by Other 9, which {engine_version} cannot read."


def test_data_that_must_be_migrated_is_refused_in_both_directions(launch, acme, alice, cluster):
    one = factories.make_engine_version(version="one")
    two = factories.make_engine_version(version="two", migrate_command=["m"], migrates_from=["one"])
    for written_by, version in ((one, two), (two, one)):
        volume = factories.make_volume(acme, alice, cluster, written_by=written_by)
        assert "has to be migrated" in refusal(lambda v=volume, e=version: launch(volume=v, engine_version=e))


def test_strangers_volumes_do_not_exist(launch, bolt, bob, cluster):
    volume = factories.make_volume(bolt, bob, cluster)
    assert refusal(lambda: launch(volume=volume)) == "There is nothing here, or it is not yours."


def test_trash_and_restore(acme, alice, cluster, alice_in_acme, launch):
    volume = factories.make_volume(acme, alice, cluster, name="Old")
    volumes.trash_volume(volume=volume, by=alice_in_acme)
    assert refusal(lambda: launch(volume=volume)) == "“Old” is in the trash. Restore it first."
    namesake = factories.make_volume(acme, alice, cluster, name="old")
    assert "another volume named" in refusal(lambda: volumes.restore_volume(volume=volume, by=alice_in_acme))
    namesake.delete()
    volumes.restore_volume(volume=volume, by=alice_in_acme)
    volume.refresh_from_db()
    assert (volume.state, volume.purge_at) == ("active", None)


def test_a_volume_in_use_stays_out_of_the_trash(instance, alice_in_acme):
    assert "is in use by Dragon" in refusal(lambda: volumes.trash_volume(volume=instance.volume, by=alice_in_acme))


def test_strangers_and_colleagues_leave_volumes_alone(instance, bob_in_bolt, acme):
    carol = factories.join(factories.make_user("carol"), acme)
    for by, words in ((bob_in_bolt, "There is nothing here"), (carol, "Only its owner")):
        for operation in (volumes.trash_volume, volumes.restore_volume):
            assert words in refusal(lambda o=operation, b=by: o(volume=instance.volume, by=b))


def test_a_retry_that_nobody_has_acted_on_yet_takes_room(instance, alice_in_acme, acme, alice, cluster):
    factories.cap(acme, running=1)
    Instance.objects.filter(pk=instance.pk).update(state="failed", settled_generation=1)
    other = factories.make_instance(acme, alice, cluster, state="failed", settled_generation=1)
    WISHES["resume"](instance, alice_in_acme)
    assert "limit of 1 running instances" in refusal(lambda: WISHES["resume"](other, alice_in_acme))


def test_a_queued_instance_changes_to_no_class_whose_limit_is_reached(instance, alice_in_acme, acme, alice, cluster):
    large = factories.make_gpu_class("cpu-large", max_per_tenant=1)
    cluster.capacities.create(gpu_class=large, slots=2)
    factories.make_instance(acme, alice, cluster, state="running", gpu_class=large)
    Instance.objects.filter(pk=instance.pk).update(state="queued")
    change = instances.change_gpu_class
    sentence = refusal(lambda: change(instance=instance, by=alice_in_acme, gpu_class=large))
    assert "limit of 1 running instances on cpu-large for Acme Studio" in sentence
    Instance.objects.filter(pk=instance.pk).update(state="stopped", desired_state="stopped")
    change(instance=instance, by=alice_in_acme, gpu_class=large)


def test_another_class_does_not_take_a_retry_back(instance, alice_in_acme, cluster):
    large = factories.make_gpu_class("cpu-large")
    cluster.capacities.create(gpu_class=large, slots=1)
    Instance.objects.filter(pk=instance.pk).update(state="failed", settled_generation=1)
    WISHES["resume"](instance, alice_in_acme)
    instances.change_gpu_class(instance=instance, by=alice_in_acme, gpu_class=large)
    instance.refresh_from_db()
    assert (instance.gpu_class, instance.retry_due) == (large, True)


def test_a_class_with_too_little_memory_is_refused(launch, instance, alice_in_acme, gpu_class):
    large = factories.make_engine_version(min_gpu_memory_mib=8192)
    sentence = f"{large} needs 8 GB of GPU memory."
    assert sentence in refusal(lambda: launch(engine_version=large, name="Second"))


def test_what_is_no_longer_offered_cannot_be_launched(launch, engine_version, gpu_class):
    gpu_class.hidden = True
    gpu_class.save()
    assert refusal(launch) == "cpu-small is no longer offered. Choose another GPU class."
    gpu_class.hidden = False
    gpu_class.save()
    engine_version.engine.hidden = True
    engine_version.engine.save()
    assert refusal(launch) == "Double is no longer offered. Choose another engine."
