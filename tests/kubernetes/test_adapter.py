"""What the adapter asks of a cluster, how often, and what it makes of every kind of refusal."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engines.clusters.base import ClusterError, ClusterUnavailable, Phase, StaleEpoch
from engines.clusters.kubernetes import namespaces
from engines.reasons import Reason
from tests.contract.workloads import apply_in_time, stop, wait_for, wait_phase

NAMESPACE = "aigc-t-acme"


def calls_of(double, act):
    """Verb and resource of each request that the act makes."""
    mark = len(double.calls)
    act()
    return [(call.method, call.path.rpartition("/")[0].rpartition("/")[2]) for call in double.calls_since(mark)]


def launch(adapter, spec):
    adapter.ensure_volume(spec.volume_ref, tenant=spec.tenant, size_gib=1)
    adapter.apply(spec)


def run(adapter, spec):
    launch(adapter, spec)
    return wait_phase(adapter, spec.ref, Phase.READY)


# --- how often ---


def test_a_launch_in_a_prepared_namespace_takes_four_calls_and_pause_and_resume_one_each(double, adapter, make_spec):
    run(adapter, make_spec())
    spec = make_spec()
    made = calls_of(double, lambda: launch(adapter, spec))
    assert len(made) == 4, made
    wait_phase(adapter, spec.ref, Phase.READY)
    assert len(calls_of(double, lambda: adapter.stop(spec.ref, epoch=1, grace_seconds=20))) == 1
    wait_phase(adapter, spec.ref, Phase.GONE)
    assert len(calls_of(double, lambda: adapter.apply(replace(spec, epoch=2)))) == 1
    wait_phase(adapter, spec.ref, Phase.READY)


def test_another_process_takes_one_look_more(double, make_adapter, make_spec):
    spec = make_spec()
    run(make_adapter(), spec)
    other = make_adapter()
    stopped = calls_of(double, lambda: other.stop(spec.ref, epoch=1, grace_seconds=20))
    assert [method for method, _ in stopped] == ["GET", "PATCH"]


def test_connections_are_kept(double, adapter, make_spec):
    for _ in range(5):
        launch(adapter, make_spec())
    assert adapter.rest._client.rest_client.pool_manager.connection_from_url(double.url).num_connections == 1


# --- epochs between processes ---


def test_what_another_process_stopped_is_not_begun_again(make_adapter, make_spec):
    one, other, spec = make_adapter(), make_adapter(), make_spec()
    run(one, spec)
    other.stop(spec.ref, epoch=2, grace_seconds=1)
    wait_phase(other, spec.ref, Phase.GONE)
    with pytest.raises(StaleEpoch):
        one.apply(replace(spec, epoch=2))
    apply_in_time(one, replace(spec, epoch=3))
    assert wait_phase(one, spec.ref, Phase.READY).epoch == 3


def test_what_another_process_deleted_is_not_begun_again(make_adapter, make_spec):
    one, other, spec = make_adapter(), make_adapter(), make_spec()
    run(one, spec)
    other.delete(spec.ref, epoch=2, grace_seconds=1)
    wait_phase(other, spec.ref, Phase.GONE)
    with pytest.raises(StaleEpoch):
        one.apply(replace(spec, epoch=2))
    assert make_adapter().observe(spec.ref).epoch == 2


def test_what_somebody_deleted_by_hand_is_made_again(double, adapter, make_spec):
    spec = make_spec()
    run(adapter, spec)
    double.delete("statefulsets", NAMESPACE, spec.name)
    wait_for(lambda: double.get("pods", NAMESPACE, f"{spec.name}-0") is None)
    adapter.apply(spec)
    assert wait_phase(adapter, spec.ref, Phase.READY).epoch == 1


def test_what_somebody_scaled_by_hand_is_scaled_back(double, adapter, make_spec):
    spec = make_spec()
    run(adapter, spec)
    double.merge("statefulsets", NAMESPACE, spec.name, {"spec": {"replicas": 0}})
    wait_for(lambda: double.get("pods", NAMESPACE, f"{spec.name}-0") is None)
    apply_in_time(adapter, spec)
    assert wait_phase(adapter, spec.ref, Phase.READY).epoch == 1


def test_a_changed_template_waits_for_the_next_start(double, adapter, make_spec):
    spec = make_spec()
    first = run(adapter, spec)
    changed = replace(spec, epoch=2, environment={"STYLE": "bold"})
    adapter.apply(changed)
    assert adapter.observe(spec.ref).run_id == first.run_id
    stop(adapter, spec.ref, epoch=2)
    adapter.apply(replace(changed, epoch=3))
    wait_phase(adapter, spec.ref, Phase.READY)
    engine = double.get("pods", NAMESPACE, f"{spec.name}-0")["spec"]["containers"][0]
    assert {"name": "STYLE", "value": "bold"} in engine["env"]


def test_what_was_taken_out_of_a_template_is_gone(double, adapter, make_spec):
    spec = make_spec(environment={"STYLE": "bold", "SIZE": "7"})
    run(adapter, spec)
    stop(adapter, spec.ref)
    adapter.apply(replace(spec, epoch=2, environment={"SIZE": "7"}))
    wait_phase(adapter, spec.ref, Phase.READY)
    engine = double.get("pods", NAMESPACE, f"{spec.name}-0")["spec"]["containers"][0]
    assert [each["name"] for each in engine["env"]] == ["SIZE"]


# --- deleting ---


def test_a_delete_leaves_nothing_but_the_claim_and_its_note(double, adapter, make_spec):
    spec = make_spec()
    seen = run(adapter, spec)
    adapter.delete(spec.ref, epoch=2, grace_seconds=1)
    wait_phase(adapter, spec.ref, Phase.GONE)
    for plural in ("statefulsets", "services", "pods"):
        assert double.objects(plural, NAMESPACE) == []
    notes = double.get("persistentvolumeclaims", NAMESPACE, spec.volume)["metadata"]["annotations"]
    assert seen.run_id in notes[f"aigc-portal.io/ended.{spec.name}"]


def test_another_object_of_the_same_name_is_not_deleted(double, adapter, make_spec):
    spec = make_spec()
    run(adapter, spec)
    adapter.observe(spec.ref)
    double.delete("statefulsets", NAMESPACE, spec.name)
    wait_for(lambda: double.get("statefulsets", NAMESPACE, spec.name) is None)
    double.load([{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": spec.name, "namespace": NAMESPACE},
                  "spec": {"replicas": 0, "serviceName": "x", "selector": {"matchLabels": {"a": "b"}},
                           "template": {"metadata": {"labels": {"a": "b"}},
                                        "spec": {"containers": [{"name": "c", "image": "double/sleep"}]}}}}])  # fmt: skip
    uid = double.get("statefulsets", NAMESPACE, spec.name)["metadata"]["uid"]
    with pytest.raises((ClusterUnavailable, ClusterError)):
        adapter.delete(spec.ref, epoch=2, grace_seconds=1)
    assert double.get("statefulsets", NAMESPACE, spec.name)["metadata"]["uid"] == uid


# --- refusals ---


def test_a_conflict_is_read_again(double, adapter, make_spec):
    spec = make_spec()
    run(adapter, spec)
    double.faults.add(verb="patch", path="statefulsets", status=409, times=1)
    adapter.stop(spec.ref, epoch=1, grace_seconds=20)
    wait_phase(adapter, spec.ref, Phase.GONE)


def test_a_quota_on_objects_is_a_refusal(double, adapter, make_spec):
    run(adapter, make_spec())
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few", "namespace": NAMESPACE},
             "spec": {"hard": {"persistentvolumeclaims": "1"}}}  # fmt: skip
    double.load([quota])
    spec = make_spec()
    with pytest.raises(ClusterError) as refusal:
        launch(adapter, spec)
    assert refusal.value.reason == Reason.QUOTA_EXCEEDED
    assert "exceeded quota: few" in str(refusal.value)


def test_a_quota_on_pods_is_told_by_a_look(double, adapter, make_spec):
    run(adapter, make_spec())
    double.load([{"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few", "namespace": NAMESPACE},
                  "spec": {"hard": {"pods": "1"}}}])  # fmt: skip
    spec = make_spec()
    launch(adapter, spec)
    seen = wait_for(lambda: (found := adapter.observe(spec.ref)).reason and found)
    assert (seen.phase, seen.reason) == (Phase.PENDING, Reason.QUOTA_EXCEEDED)


def test_pod_security_is_told_by_a_look(double, adapter, make_spec):
    spec = make_spec(pod_patch={"spec": {"containers": [{"name": "engine", "securityContext": {"privileged": True}}]}})
    launch(adapter, spec)
    seen = wait_for(lambda: (found := adapter.observe(spec.ref)).reason and found)
    assert seen.reason == Reason.REFUSED_BY_POLICY
    assert "violates PodSecurity" in seen.evidence


def test_a_right_that_the_portal_lacks_is_a_refusal(double, adapter, make_spec):
    run(adapter, make_spec())
    double.faults.add(verb="patch", path="services", status=403, times=1)
    with pytest.raises(ClusterError) as refusal:
        launch(adapter, make_spec())
    assert refusal.value.reason == Reason.CLUSTER_FORBIDS


def test_a_namespace_that_somebody_deleted_is_made_again(double, adapter, make_spec):
    run(adapter, make_spec())
    double.delete("namespaces", "", NAMESPACE)
    wait_for(lambda: double.get("namespaces", "", NAMESPACE) is None)
    spec = make_spec()
    run(adapter, spec)
    assert {each["metadata"]["name"] for each in double.objects("networkpolicies", NAMESPACE)} >= {"default-deny"}


def test_a_namespace_that_is_being_deleted_is_a_matter_of_time(double, adapter, make_spec):
    run(adapter, make_spec())
    double.faults.add(verb="create", path="persistentvolumeclaims", status=0, times=0)
    double.merge("namespaces", "", NAMESPACE, {"metadata": {"finalizers": ["example.org/wait"]}})
    double.delete("namespaces", "", NAMESPACE)
    with pytest.raises(ClusterUnavailable):
        launch(adapter, make_spec())


def test_an_illegal_document_is_a_refusal_with_its_words(adapter, make_spec):
    spec = make_spec(name="i-Not_Legal")
    adapter.ensure_volume(spec.volume_ref, tenant=spec.tenant, size_gib=1)
    with pytest.raises(ClusterError) as refusal:
        adapter.apply(spec)
    assert refusal.value.reason == Reason.START_REFUSED
    assert "DNS-1035" in str(refusal.value)


@pytest.mark.parametrize("status", [429, 503])
def test_a_short_wait_that_the_server_asks_for_is_kept(double, adapter, make_spec, status):
    run(adapter, make_spec())
    double.faults.add(path="statefulsets", status=status, retry_after=0.1, times=2)
    run(adapter, make_spec())


TROUBLE = [{"status": 429, "retry_after": 60}, {"status": 500}, {"status": 503}, {"drop": True}, {"delay": 3}]


@pytest.mark.parametrize("fault", TROUBLE)
def test_what_may_pass_is_a_matter_of_time(double, make_adapter, make_spec, fault):
    adapter, spec = make_adapter(request_timeout_seconds=1), make_spec()
    run(adapter, make_spec())
    added = double.faults.add(path="statefulsets", **fault)
    with pytest.raises(ClusterUnavailable):
        launch(adapter, spec)
    double.faults.present.remove(added)
    run(adapter, spec)


@pytest.mark.parametrize("verb", ["POST", "PATCH", "DELETE"])
def test_a_write_whose_answer_was_lost_may_be_repeated(double, make_adapter, make_spec, verb):
    adapter, spec = make_adapter(request_timeout_seconds=1), make_spec()
    run(adapter, make_spec())

    def persistently(act):
        def done():
            try:
                act()
            except ClusterUnavailable:
                return False
            return True

        wait_for(done)

    double.faults.add(verb=verb, drop=True, after=True, times=3)
    persistently(lambda: launch(adapter, spec))
    wait_phase(adapter, spec.ref, Phase.READY)
    persistently(lambda: adapter.stop(spec.ref, epoch=1, grace_seconds=1))
    wait_phase(adapter, spec.ref, Phase.GONE)
    persistently(lambda: adapter.delete(spec.ref, epoch=2, grace_seconds=1))
    wait_for(lambda: double.get("statefulsets", NAMESPACE, spec.name) is None)
    assert double.get("services", NAMESPACE, spec.name) is None


def test_a_service_that_came_too_late_is_listed_until_its_workload_is_deleted_once_more(double, adapter, make_spec):
    spec = make_spec()
    run(adapter, spec)
    service = double.get("services", NAMESPACE, spec.name)
    adapter.delete(spec.ref, epoch=2, grace_seconds=1)
    wait_for(lambda: adapter.list_workloads() == [])
    double.load([service])
    [left] = adapter.list_workloads()
    assert (left.name, left.namespace, left.phase, left.remains) == (spec.name, NAMESPACE, Phase.GONE, True)
    seen = adapter.delete(spec.ref, epoch=2, grace_seconds=1)
    assert (seen.phase, seen.remains) == (Phase.GONE, False)
    assert adapter.list_workloads() == []


def test_without_the_right_to_list_services_the_workloads_are_listed(double, adapter, make_spec):
    spec = make_spec()
    run(adapter, spec)
    double.faults.add(verb="list", path="services", status=403)
    assert [each.name for each in adapter.list_workloads()] == [spec.name]


def test_an_expired_token_is_read_anew(double, adapter, make_spec, tmp_path):
    run(adapter, make_spec())
    double.rotate_token()
    double.kubeconfig(tmp_path / "kubeconfig-1")
    run(adapter, make_spec())


def test_a_token_that_stays_refused_is_a_matter_of_time(double, adapter, make_spec):
    run(adapter, make_spec())
    double.expire_token()
    with pytest.raises(ClusterUnavailable, match="401"):
        adapter.observe(make_spec().ref)


def test_a_server_that_is_away_is_a_matter_of_time(double, adapter, make_spec):
    spec = make_spec()
    run(adapter, spec)
    double.stop_serving()
    with pytest.raises(ClusterUnavailable):
        adapter.observe(spec.ref)
    double.serve()
    assert adapter.observe(spec.ref).phase == Phase.READY


def test_a_kubeconfig_that_is_not_there_is_a_matter_of_time(make_adapter, make_spec, tmp_path):
    adapter = make_adapter(kubeconfig=str(tmp_path / "none"))
    with pytest.raises(ClusterUnavailable, match="none"):
        adapter.observe(make_spec().ref)


# --- stopping ---


def test_a_forced_stop_leaves_the_kubelet_a_second(double, adapter, make_spec):
    spec = make_spec()
    run(adapter, spec)
    adapter.stop(spec.ref, epoch=1, grace_seconds=0)
    deletes = [call for call in double.calls if call.method == "DELETE"]
    assert len(deletes) == 1
    wait_phase(adapter, spec.ref, Phase.GONE)


def test_a_pod_on_a_dead_node_is_not_gone(double, adapter, make_spec):
    spec = make_spec()
    run(adapter, spec)
    double.node_down(double.get("pods", NAMESPACE, f"{spec.name}-0")["spec"]["nodeName"])
    adapter.stop(spec.ref, epoch=1, grace_seconds=0)
    wait_for(lambda: double.get("pods", NAMESPACE, f"{spec.name}-0")["metadata"].get("deletionTimestamp"))
    assert adapter.observe(spec.ref).phase == Phase.STOPPING


@pytest.mark.parametrize("look", ["observe", "list_workloads"])
def test_a_look_is_as_old_as_its_first_question(double, adapter, make_spec, look):
    """What changes while the answers come in was not seen."""
    spec = make_spec()
    run(adapter, spec)
    double.faults.add(path="/(statefulsets|pods)", delay=0.5)
    began = datetime.now(UTC)
    seen = adapter.observe(spec.ref) if look == "observe" else adapter.list_workloads()[0]
    assert began <= seen.observed_at < began + timedelta(seconds=0.5)


def test_an_engine_that_writes_more_than_anybody_reads_costs_no_more_memory(double, adapter, make_spec):
    """Its log goes on at its end."""
    spec = make_spec()
    run(adapter, spec)
    [log] = double.state.rglob("0.log")
    second = "2026-01-01T00:00:00"
    with log.open("w") as lines:
        lines.writelines(f"{second}.{number:09}Z {'x' * 100}\n" for number in range(60_000))
    chunk = adapter.read_log(spec.ref, cursor=f"{second}.000050000Z#1")
    assert len(chunk.text) <= 262_144
    assert chunk.cursor == f"{second}.000059999Z#1"


def test_a_rule_that_somebody_took_away_comes_back(double, adapter, make_spec, monkeypatch):
    run(adapter, make_spec())
    double.delete("networkpolicies", NAMESPACE, "default-deny")
    launch(adapter, make_spec())
    assert double.get("networkpolicies", NAMESPACE, "default-deny") is None
    monkeypatch.setattr(namespaces, "_TRUSTED_SECONDS", 0.0)
    launch(adapter, make_spec())
    assert double.get("networkpolicies", NAMESPACE, "default-deny") is not None
