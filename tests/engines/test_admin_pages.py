"""Operators' pages open, for operators alone, and cost the same few queries however many rows there are."""

from datetime import timedelta

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from engines.models import Engine, Handover, InstanceEvent, RunFact, Volume
from engines.reasons import Reason
from engines.states import InstanceState
from tests import factories

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
LABELS = [model._meta.label_lower for model in MODELS]


def changelist(label: str) -> str:
    return reverse(f"admin:{label.replace('.', '_')}_changelist")


def change(row) -> str:
    return reverse(f"admin:{row._meta.label_lower.replace('.', '_')}_change", args=[row.pk])


@pytest.fixture
def operator(client, olga):
    client.force_login(olga)
    return client


@pytest.fixture
def cluster(db):
    """A row alone: nothing of these tests reaches a cluster."""
    return factories.make_cluster("/nowhere")


@pytest.fixture
def instance(acme, alice, cluster):
    return make_row(acme, alice, cluster)


def make_row(tenant, owner, cluster, **fields):
    """An instance with a volume, an event, a fact, a share and a hand-over."""
    fields = {"state": InstanceState.RUNNING, "reason": Reason.READY} | fields
    instance = factories.make_instance(tenant, owner, cluster, **fields)
    now = timezone.now()
    InstanceEvent.objects.create(
        instance=instance, kind="transition", at=now, new_state=instance.state, reason=instance.reason, generation=1, actor=owner
    )
    RunFact.objects.create(
        instance=instance,
        run_id=f"run-{instance.slug}",
        kind="ready",
        source="cluster",
        at=now,
        observed_at=now,
        tenant=tenant,
        owner=owner,
        gpu_class=instance.gpu_class,
        engine_version=instance.engine_version,
    )
    factories.share(instance, owner)
    factories.share(instance)
    Handover.objects.create(instance=instance, at=now, from_owner=owner, to_owner=owner, actor=owner)
    return instance


def test_every_model_has_a_page():
    assert {"engines.instance", "engines.volume", "engines.instanceevent", "engines.runfact"} <= set(LABELS)
    assert {"engines.engine", "engines.engineversion", "engines.gpuclass", "engines.cluster", "engines.capacity"} <= set(LABELS)
    assert {"tenants.user", "tenants.tenant", "tenants.membership", "auth.group"} <= set(LABELS)


@pytest.mark.parametrize("label", LABELS)
def test_lists_open_and_can_be_searched(operator, instance, label):
    assert operator.get(changelist(label)).status_code == 200
    assert operator.get(changelist(label), {"q": "nothing like this"}).status_code == 200


@pytest.mark.parametrize("label", LABELS)
def test_lists_are_for_operators_alone(client, anna, instance, label):
    signed_out = client.get(changelist(label), follow=True)
    assert signed_out.redirect_chain[-1][0].startswith("/accounts/login/")
    client.force_login(anna)
    assert client.get(changelist(label), follow=True).status_code == 403


@pytest.mark.parametrize("label", LABELS)
def test_every_row_opens(operator, instance, label):
    model = MODELS[LABELS.index(label)]
    row = model.objects.first()
    if row is not None:
        assert operator.get(change(row)).status_code == 200


@pytest.mark.parametrize("label", [label for label in LABELS if label.startswith("engines.")])
def test_lists_cost_the_same_queries_for_few_rows_and_for_many(operator, instance, acme, cluster, label):
    def queries() -> int:
        operator.get(changelist(label))
        with CaptureQueriesContext(connection) as captured:
            assert operator.get(changelist(label)).status_code == 200
        return len(captured)

    def add(number: int) -> None:
        owner = factories.make_user(f"user{number}")
        tenant = factories.make_tenant(f"tenant{number}")
        factories.join(owner, tenant)
        gpu_class = factories.make_gpu_class(f"class{number}")
        other = factories.make_cluster("/nowhere", gpu_class=gpu_class)
        engine = Engine.objects.create(slug=f"engine{number}", name=f"Engine {number}")
        version = factories.make_engine_version(engine=engine)
        make_row(tenant, owner, other, gpu_class=gpu_class, engine_version=version)

    add(0)  # a filter with a single choice is not shown and costs nothing
    before = queries()
    for number in range(1, 6):
        add(number)
    assert queries() == before


def test_people_without_a_right_see_no_page_of_it(client, instance):
    sam = factories.make_operator("sam", "engines.view_volume")
    client.force_login(sam)
    assert client.get(changelist("engines.volume")).status_code == 200
    assert client.get(changelist("engines.instance")).status_code == 403
    page = client.get(reverse("admin:index"))
    assert page.status_code == 200
    assert changelist("engines.volume") in page.content.decode()
    assert changelist("engines.instance") not in page.content.decode()


@pytest.mark.parametrize("label", ["engines.instance", "engines.volume", "engines.instanceevent", "engines.runfact"])
def test_what_the_portal_writes_cannot_be_added_changed_or_deleted(operator, instance, label):
    row = MODELS[LABELS.index(label)].objects.first()
    base = f"admin:{label.replace('.', '_')}"
    assert operator.get(reverse(f"{base}_add")).status_code == 403
    assert operator.post(change(row), {"name": "changed", "state": "failed"}).status_code == 403
    assert operator.post(reverse(f"{base}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    assert MODELS[LABELS.index(label)].objects.filter(pk=row.pk).exists()
    instance.refresh_from_db()
    assert instance.state == "running"


def test_the_dashboard_counts(operator, acme, alice, cluster):
    now = timezone.now()
    make_row(acme, alice, cluster)
    make_row(acme, alice, cluster, state="starting", reason=Reason.ENGINE_STARTING)
    make_row(acme, alice, cluster, state="queued", reason=Reason.NO_CAPACITY, queued_at=now - timedelta(minutes=5))
    make_row(acme, alice, cluster, state="queued", reason=Reason.NO_CAPACITY, queued_at=now - timedelta(minutes=1))
    make_row(acme, alice, cluster, state="failed", reason=Reason.OUT_OF_MEMORY)
    make_row(acme, alice, cluster, state="deleted", reason=Reason.GONE)
    old = make_row(acme, alice, cluster, state="stopped", reason=Reason.GONE)
    InstanceEvent.objects.create(
        instance=old, kind="transition", at=now - timedelta(hours=25), new_state="failed", reason="disk_full", generation=1
    )

    figures = operator.get(reverse("admin:index")).context["figures"]

    assert [(state, count) for state, _badge, count in figures["states"]] == [
        ("queued", 2),
        ("starting", 1),
        ("running", 1),
        ("stopped", 1),
        ("failed", 1),
    ]
    assert figures["total"] == 6
    assert [(each.gpu_class.slug, each.taken, each.slots) for each in figures["capacities"]] == [("cpu-small", 2, 4)]
    assert [(each.gpu_class, each.length, each.oldest_at) for each in figures["queues"]] == [
        ("cpu-small", 2, now - timedelta(minutes=5))
    ]
    assert [(each.reason, each.count) for each in figures["failures"]] == [("out_of_memory", 1)]


@pytest.mark.parametrize(
    ("ago", "words"),
    [(None, "never"), (timedelta(seconds=1), "watched"), (timedelta(minutes=3, seconds=1), "silent for 3\xa0minutes")],
)
def test_the_dashboard_tells_when_a_watcher_is_silent(operator, cluster, ago, words):
    cluster.watched_at = ago and timezone.now() - ago
    cluster.save()
    page = operator.get(reverse("admin:index"))
    [(_cluster, badge)] = page.context["figures"]["clusters"]
    assert words in badge


def test_the_dashboard_of_an_empty_portal_says_what_to_do(operator):
    page = operator.get(reverse("admin:index")).content.decode()
    assert "There is no cluster. Load a catalog file or add one." in page
    assert "Nobody waits." in page


def test_the_links_of_the_dashboard_filter_the_list(operator, acme, alice, cluster):
    make_row(acme, alice, cluster, name="one that runs")
    make_row(acme, alice, cluster, name="one that failed", state="failed", reason=Reason.OUT_OF_MEMORY)
    for query, name in [("state__exact=running", "one that runs"), ("reason__exact=out_of_memory", "one that failed")]:
        rows = operator.get(f"{changelist('engines.instance')}?{query}").context["cl"].result_list
        assert [row.name for row in rows] == [name]


@pytest.mark.parametrize(("age", "expected"), [("hour", "new"), ("day", "today"), ("week", "this week"), ("longer", "old")])
def test_instances_can_be_found_by_age(operator, acme, alice, cluster, age, expected):
    now = timezone.now()
    for name, hours in {"new": 0, "today": 5, "this week": 50, "old": 500}.items():
        make_row(acme, alice, cluster, name=name, state_since=now - timedelta(hours=hours))
    rows = operator.get(changelist("engines.instance"), {"age": age}).context["cl"].result_list
    assert [row.name for row in rows] == [expected]


def test_a_volume_tells_which_instance_uses_it(operator, instance, acme, alice, cluster):
    factories.make_volume(acme, alice, cluster, name="spare")
    rows = {row.name: row.instance_name for row in operator.get(changelist("engines.volume")).context["cl"].result_list}
    assert rows == {Volume.objects.get(pk=instance.volume_id).name: instance.name, "spare": None}


def test_signing_in_goes_through_the_portal(client):
    assert client.get(reverse("admin:login")).url.startswith("/accounts/login/")


def test_the_dashboard_says_what_is_free_and_where(operator, acme, alice, cluster):
    make_row(acme, alice, cluster)
    make_row(acme, alice, cluster, state="queued", reason=Reason.NO_CAPACITY, queued_at=timezone.now())
    page = operator.get(reverse("admin:index")).content.decode()
    assert f"{cluster}, on premises" in page
    assert "3 free" in page
    assert "1 waiting" in page
    type(cluster).objects.update(watched_at=timezone.now() - 2 * cluster.SILENT_AFTER)
    page = operator.get(reverse("admin:index")).content.decode()
    assert "3 free" not in page
    assert "not known now" in page
