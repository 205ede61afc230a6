"""An engine is up when its Service leads to it, and stays up when that lapses for a moment."""

import pytest

from engines.clusters.base import Phase
from engines.operations import instances
from tests.contract.workloads import wait_for
from tests.driving import transitions
from tests.kubernetes.conftest import NAMESPACE
from tests.kubernetes.living import Living, make_class, make_row, make_version, pod_name
from tests.waiting import wait_until

SLOWLY = {"spec": {"containers": [{"name": "engine", "readinessProbe": {"initialDelaySeconds": 20}}]}}  # a second, at this speed


def ready_of(double, name: str) -> str:
    """The Pod's word on whether it is ready; empty without a Pod."""
    conditions = (double.get("pods", NAMESPACE, name) or {"status": {}})["status"].get("conditions", [])
    return next((each["status"] for each in conditions if each["type"] == "Ready"), "")


def started(double, name: str) -> bool:
    status = (double.get("pods", NAMESPACE, name) or {"status": {}})["status"]
    return any(each.get("started") for each in status.get("containerStatuses", []))


def test_an_engine_that_has_started_is_not_ready_before_its_service_leads_to_it(double, adapter, make_spec):
    spec = make_spec(pod_patch=SLOWLY)
    pod = f"{spec.name}-0"
    adapter.ensure_volume(spec.volume_ref, tenant="acme", size_gib=1)
    adapter.apply(spec)
    wait_for(lambda: started(double, pod))
    seen = adapter.observe(spec.ref)
    assert (seen.phase, seen.reason, seen.ready_at, ready_of(double, pod)) == (Phase.STARTING, None, None, "False")
    ready = wait_for(lambda: (found := adapter.observe(spec.ref)).phase == Phase.READY and found)
    assert ready_of(double, pod) == "True"
    assert ready.ready_at is not None
    assert ready.ready_at > seen.started_at
    wait_for(lambda: double.get("endpoints", NAMESPACE, spec.name)["subsets"])


@pytest.fixture
def living(db, double, tmp_path):
    living = Living(double, make_row(double.kubeconfig(tmp_path / "kubeconfig")))
    yield living
    living.close()


def test_readiness_that_lapses_for_a_moment_changes_no_state(double, living, alice_in_acme):
    launched = instances.launch_instance(
        membership=alice_in_acme, engine_version=make_version(), gpu_class=make_class(), name="Dragon"
    )
    instance = living.drive(launched, "running")
    before = (instance.run_id, instance.ready_at, instance.state_since)
    for answers, ready in ((False, "False"), (True, "True")):
        double.answer(NAMESPACE, pod_name(instance), answers)
        wait_until(lambda ready=ready: ready_of(double, pod_name(instance)) == ready)
        for _ in range(3):
            living.step(instance)
        assert (instance.state, instance.run_id, instance.ready_at, instance.state_since) == ("running", *before)
    assert transitions(instance).count("running") == 1
