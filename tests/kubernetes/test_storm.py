"""Instances of several teams through random wishes in a storm of faults; afterwards cluster, rows and books agree."""

import random
import threading
import time
from collections import Counter, defaultdict
from itertools import pairwise

import pytest
from django.utils import timezone

from billing.models import UsageInterval
from billing.operations import settle_due
from engines import hints
from engines.clusters.kubernetes.rest import Rest
from engines.models import Instance, RunFact, Volume
from engines.operations import instances
from engines.states import HOLDS_GPU
from engines.sweeping import observe_all, strays
from tenants.errors import PortalError
from tests import factories
from tests.kubernetes.double import KubernetesDouble, node
from tests.kubernetes.living import RESOURCE, make_class, make_row, make_version, pod_name
from tests.kubernetes.storming import Crew, Doom, Lookout, insist, storm, until_quiet
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

TEAMS = 4
NODES = 4
WISHES = [
    instances.pause_instance,
    instances.cancel_launch,
    instances.resume_instance,
    instances.resume_instance,
    instances.restart_instance,
]


@pytest.mark.parametrize(
    ("count", "seconds", "calm_seconds"), [(40, 8, 60), pytest.param(200, 60, 300, marks=pytest.mark.chaos_full)]
)
def test_after_a_storm_cluster_rows_and_books_agree(tmp_path, monkeypatch, count, seconds, calm_seconds):
    seed, began = 7, time.monotonic()
    doom = Doom(seed)
    crew = Crew(doom)
    monkeypatch.setattr(Rest, "_send", doom.sending())
    monkeypatch.setattr(hints, "_send", crew.send)
    gpus = count * 3 // 4 // NODES
    machines = [node(f"node-{number}", {RESOURCE: gpus}, number=number + 2) for number in range(NODES)]
    with KubernetesDouble(speed=20, nodes=machines) as double:
        kubeconfig = double.kubeconfig(tmp_path / "kubeconfig")
        row = make_row(kubeconfig, slots=gpus * NODES, request_timeout_seconds=2)
        lookout = Lookout(row)
        crew.start()
        try:
            fleet = launch_all(count)
            with storm(double, kubeconfig, lookout, doom, seed):
                wish_for(seconds, fleet, random.Random(seed))
            last_wishes(fleet, random.Random(seed + 1), gpus * NODES)
            until_quiet(crew, seconds=calm_seconds)
            wait_until(are_all_ready)  # a Pod is ready a moment after its engine has answered first
            observe_all(row)  # as the sweep does every few minutes beside a watch, which hears of no Service
            wait_until(lambda: not strays().exists())
        finally:
            crew.end()
            lookout.end()
        print(f"{count} instances, {len(double.calls)} calls, {doom.deaths} deaths, {time.monotonic() - began:.0f} s,"
              f" {dict(Counter(Instance.objects.values_list('state', flat=True)))}")  # fmt: skip
        assert doom.deaths > 0
        assert crew.failures == []
        assert disagreements(double) == []
        assert orphans(double) == []
    assert Instance.objects.filter(state__in=HOLDS_GPU).count() == Instance.objects.filter(state="running").count()
    assert not Instance.objects.filter(state="failed").exists(), list(Instance.objects.values_list("reason", "evidence"))
    assert_books_are_right()


def are_all_ready():
    """Whether the cluster's own word that it is ready was heard of every run."""
    running = set(Instance.objects.filter(state="running").values_list("run_id", flat=True))
    return running <= set(RunFact.objects.filter(kind="ready").values_list("run_id", flat=True))


def launch_all(count):
    """Instances and the members whose they are."""
    version, fleet = make_version(), []
    for team in range(TEAMS):
        tenant = factories.make_tenant(f"team-{team}")
        factories.cap(tenant, running=count)
        member = factories.join(factories.make_user(f"artist-{team}"), tenant)
        for number in range(count // TEAMS):
            choice = {"engine_version": version, "gpu_class": make_class(), "name": f"No. {number}"}
            fleet.append((instances.launch_instance(membership=member, **choice), member))
    return fleet


def wish_for(seconds, fleet, dice):
    """Press buttons at random for a while."""
    calm, deadline = threading.Event(), time.monotonic() + seconds
    while time.monotonic() < deadline:
        instance, member = dice.choice(fleet)
        if dice.random() < 0.03:
            act, choices = instances.delete_instance, {"keep_volume": True}
        else:
            act, choices = dice.choice(WISHES), {}
        insist(lambda: act(instance=instance, by=member, **choices), PortalError, Instance.DoesNotExist)  # noqa: B023
        calm.wait(dice.uniform(0, 0.1))


def last_wishes(fleet, dice, slots):
    """Delete some, pause some, and leave no more wishes to run than there are GPUs."""
    for instance, member in fleet:
        instance.refresh_from_db()
        fate = dice.random()
        if fate < 0.2:
            insist(lambda: instances.delete_instance(instance=instance, by=member, keep_volume=True), PortalError)  # noqa: B023
        elif fate < 0.5:
            act = (
                instances.cancel_launch if instance.state in {"queued", "provisioning", "starting"} else instances.pause_instance
            )
            insist(lambda: act(instance=instance, by=member), PortalError)  # noqa: B023
    assert Instance.objects.filter(desired_state="running").count() <= slots


def disagreements(double):
    """Instances whose objects are not what their state says."""
    wrong = []
    for instance in Instance.objects.select_related("volume"):
        workload = instance.workload
        found = double.get("statefulsets", workload.namespace, workload.name)
        pod = double.get("pods", workload.namespace, pod_name(instance))
        replicas = found and found["spec"]["replicas"]
        run = pod["metadata"]["uid"] if pod and is_ready(pod) else pod and "not ready"
        expected = {"running": [(1, instance.run_id)], "stopped": [(0, None), (None, None)], "deleted": [(None, None)]}
        if (replicas, run) not in expected.get(instance.state, []):
            wrong.append((instance.slug, instance.state, instance.reason, replicas, run, instance.run_id))
    return wrong


def is_ready(pod):
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))


def orphans(double):
    """Objects of ours that belong to no row."""
    living = {each.workload.name for each in Instance.objects.exclude(state="deleted").select_related("volume")}
    volumes = {each.ref.name for each in Volume.objects.exclude(state="deleted")}
    ours = [("statefulsets", living), ("services", living), ("pods", {f"{each}-0" for each in living})]
    names = {
        plural: {
            each["metadata"]["name"]
            for each in double.objects(plural)
            if "aigc-portal.io/instance" in (each["metadata"].get("labels") or {})
        }
        for plural, _ in ours
    }
    stray = [(plural, name) for plural, known in ours for name in names[plural] - known]
    claims = {each["metadata"]["name"] for each in double.objects("persistentvolumeclaims")}
    return stray + [("persistentvolumeclaims", name) for name in claims - volumes]


def assert_books_are_right():
    """Each run was used once, one after another, from when it was ready to when it ended."""
    now = timezone.now()
    settle_due(now=now)
    assert settle_due(now=now) == 0
    by_instance = defaultdict(list)
    for usage in UsageInterval.objects.gpu().order_by("starts_at"):
        by_instance[usage.instance_id].append(usage)
    for usages in by_instance.values():
        assert all(before.ends_at is not None and before.ends_at <= after.starts_at for before, after in pairwise(usages))
        assert len({usage.run_id for usage in usages}) == len(usages)
    lasting = {usage.run_id for usages in by_instance.values() for usage in usages if usage.ends_at is None}
    running = set(Instance.objects.filter(state="running").values_list("run_id", flat=True))
    facts = RunFact.objects.filter(run_id__in=lasting ^ running).values_list("run_id", "kind", "source", "at", "observed_at")
    assert lasting == running, list(facts)
    readied = set(RunFact.objects.filter(kind="ready").values_list("run_id", flat=True))
    assert {usage.run_id for usages in by_instance.values() for usage in usages} <= readied
