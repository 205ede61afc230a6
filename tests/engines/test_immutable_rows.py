"""What the database itself refuses."""

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from engines.models import EngineVersion, InstanceEvent, RunFact, Volume
from engines.reasons import Reason
from tests import factories


def refused(change) -> bool:
    try:
        with transaction.atomic():
            change()
    except IntegrityError:
        return True
    return False


@pytest.fixture
def instance(acme, alice, cluster):
    return factories.make_instance(acme, alice, cluster)


def test_events_are_append_only(instance):
    event = instance.events.create(kind="note", at=timezone.now(), reason=Reason.READY, generation=1)
    assert refused(lambda: InstanceEvent.objects.filter(pk=event.pk).update(reason=Reason.GONE))
    assert refused(lambda: InstanceEvent.objects.filter(pk=event.pk).delete())
    assert list(instance.events.values_list("reason", flat=True)) == ["ready"]


def test_run_facts_are_append_only(instance, acme, alice):
    now = timezone.now()
    fact = RunFact.objects.create(
        instance=instance,
        run_id="r",
        kind="ready",
        source="cluster",
        at=now,
        observed_at=now,
        tenant=acme,
        owner=alice,
        gpu_class=instance.gpu_class,
        engine_version=instance.engine_version,
    )
    assert refused(lambda: RunFact.objects.filter(pk=fact.pk).update(run_id="x"))
    assert refused(lambda: RunFact.objects.filter(pk=fact.pk).delete())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", "other"),
        ("image", "other"),
        ("command", ["other"]),
        ("args", ["other"]),
        ("port", 1),
        ("health_path", "/other"),
        ("data_mounts", [{"path": "/other"}]),
        ("environment", {"A": "b"}),
        ("secret_environment", {"A": {"secret": "s", "key": "k"}}),
        ("shared_mounts", [{"claim": "models", "path": "/models"}]),
        ("pod_patch", {"spec": {"priorityClassName": "high"}}),
        ("startup_limit_seconds", 1),
        ("run_as", "0"),
        ("shm_mib", 1),
        ("migrate_command", ["other"]),
        ("migrates_from", ["0"]),
        ("status", "draft"),
    ],
)
def test_a_published_version_does_not_change(db, field, value):
    version = factories.make_engine_version()
    assert refused(lambda: EngineVersion.objects.filter(pk=version.pk).update(**{field: value}))


def test_the_activity_of_a_published_version_is_told_once(db):
    version = factories.make_engine_version()
    rows = EngineVersion.objects.filter(pk=version.pk)
    assert not refused(lambda: rows.update(activity={"probe": {"kind": "none"}}))
    assert refused(lambda: rows.update(activity={}))
    assert refused(lambda: rows.update(activity={"probe": {"kind": "gradio"}}))


@pytest.mark.parametrize(("field", "value"), [("status", "deprecated"), ("notes", "new"), ("is_default", True)])
def test_a_published_version_may_be_deprecated_and_annotated(db, field, value):
    version = factories.make_engine_version()
    assert not refused(lambda: EngineVersion.objects.filter(pk=version.pk).update(**{field: value}))


def test_a_draft_may_change(db):
    version = factories.make_engine_version(status=EngineVersion.Status.DRAFT)
    assert not refused(lambda: EngineVersion.objects.filter(pk=version.pk).update(port=1))


def test_names_are_unique_where_people_read_them(instance, acme, alice, cluster):
    assert refused(lambda: factories.make_instance(acme, alice, cluster, name=instance.name.upper()))
    assert refused(lambda: factories.make_volume(acme, alice, cluster, name=instance.volume.name.upper()))
    factories.make_instance(acme, alice, cluster, name="other", state="deleted")
    factories.make_instance(acme, alice, cluster, name="other", state="deleted")


def test_a_volume_is_in_one_instance(instance, acme, alice, cluster):
    assert refused(lambda: factories.make_instance(acme, alice, cluster, volume=instance.volume))


def test_trash_has_a_date(instance):
    assert refused(lambda: Volume.objects.filter(pk=instance.volume_id).update(state="trashed"))
