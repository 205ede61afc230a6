"""The watch tells of everything, once, whatever befalls its streams."""

import time
from functools import partial

import pytest

from engines.clusters.base import ClusterUnavailable, Phase
from engines.clusters.kubernetes.informer import Pace
from engines.clusters.kubernetes.watch import Watcher
from tests.contract.workloads import wait_for, wait_phase
from tests.waiting import DEADLINE_SECONDS

NAMESPACE = "aigc-t-acme"
QUICK = Pace(silence=0.5, relist=600, retry=(0.05, 0.2))


def launch(adapter, spec):
    adapter.ensure_volume(spec.volume_ref, tenant=spec.tenant, size_gib=1)
    adapter.apply(spec)


@pytest.fixture
def watch(adapter):
    """Start a watch with a pace, and end it with the test."""
    watches = []

    def start(pace=QUICK):
        watches.append(Watcher(adapter.rest, adapter._config, pace).run())
        return watches[-1]

    yield start
    for each in watches:
        each.close()


def until(watch, name, phase):
    """Read on until the workload is said to be in the phase; returns what was said of it on the way."""
    said, deadline = [], time.monotonic() + DEADLINE_SECONDS
    for seen in watch:
        assert time.monotonic() < deadline, said
        if seen is not None and seen.name == name:
            said.append(seen)
            if seen.phase == phase:
                return said
    return said


def test_a_life_is_told_as_it_happens(adapter, make_spec, watch):
    spec, stream = make_spec(), watch()
    launch(adapter, spec)
    ready = until(stream, spec.name, Phase.READY)[-1]
    adapter.stop(spec.ref, epoch=1, grace_seconds=1)
    gone = until(stream, spec.name, Phase.GONE)[-1]
    assert gone.run_id == ready.run_id
    assert ready.started_at <= gone.ended_at <= gone.observed_at


def test_a_cut_stream_goes_on_where_it_was(double, adapter, make_spec, watch):
    spec, stream = make_spec(), watch()
    launch(adapter, spec)
    until(stream, spec.name, Phase.READY)
    wait_for(lambda: double.watches() == 5)
    mark = len(double.calls)
    assert double.drop_watches() == 5
    adapter.stop(spec.ref, epoch=1, grace_seconds=1)
    until(stream, spec.name, Phase.GONE)
    assert [call.path for call in double.calls_since(mark) if call.verb == "list"] == []


@pytest.mark.parametrize("as_http", [False, True])
def test_an_expired_version_leads_to_a_list(double, adapter, make_spec, watch, as_http):
    spec, stream = make_spec(), watch()
    launch(adapter, spec)
    until(stream, spec.name, Phase.READY)
    double.gone_as_http(as_http)
    double.stop_serving()
    double.merge("statefulsets", NAMESPACE, spec.name, {"spec": {"replicas": 0}})
    wait_for(lambda: double.get("pods", NAMESPACE, f"{spec.name}-0") is None)
    double.compact()
    double.serve()
    gone = until(stream, spec.name, Phase.GONE)[-1]
    assert gone.run_id != ""


def test_a_stream_that_fell_silent_is_opened_anew(double, adapter, make_spec, watch):
    spec, stream = make_spec(), watch()
    launch(adapter, spec)
    until(stream, spec.name, Phase.READY)
    wait_for(lambda: double.watches() == 5)
    assert double.silence_watches() == 5
    adapter.stop(spec.ref, epoch=1, grace_seconds=1)
    until(stream, spec.name, Phase.GONE)


def test_a_fresh_list_finds_what_no_stream_told(double, adapter, make_spec, watch):
    spec, stream = make_spec(), watch(Pace(silence=600, relist=1.0, retry=(0.05, 0.2)))
    launch(adapter, spec)
    until(stream, spec.name, Phase.READY)
    double.silence_watches()
    adapter.stop(spec.ref, epoch=1, grace_seconds=1)
    wait_phase(adapter, spec.ref, Phase.GONE)
    double.finish_watches()
    until(stream, spec.name, Phase.GONE)


def test_a_restart_of_the_server_is_survived(double, adapter, make_spec, watch):
    spec, stream = make_spec(), watch()
    launch(adapter, spec)
    until(stream, spec.name, Phase.READY)
    double.restart()
    adapter.stop(spec.ref, epoch=1, grace_seconds=1)
    until(stream, spec.name, Phase.GONE)


def test_a_replaced_pod_is_a_run_of_its_own(double, adapter, make_spec, watch):
    spec, stream = make_spec(), watch()
    launch(adapter, spec)
    first = until(stream, spec.name, Phase.READY)[-1]
    double.delete("pods", NAMESPACE, f"{spec.name}-0")
    said = until(stream, spec.name, Phase.PENDING) + until(stream, spec.name, Phase.READY)
    second = said[-1]
    assert second.run_id not in {"", first.run_id}
    ended = {run.run_id: run.ended_at for seen in said for run in seen.ended_runs}
    assert ended[first.run_id] is not None


def test_nobody_trusts_what_is_old(double, watch, monkeypatch):
    stream = watch()
    assert next(stream) is None
    monkeypatch.setattr("engines.clusters.kubernetes.watch._LOST_AFTER_SECONDS", 1.0)
    double.stop_serving()
    with pytest.raises(ClusterUnavailable, match="nothing was heard"):
        next(seen for seen in stream if seen is not None)


def test_nothing_is_said_before_all_is_known(double, adapter, make_spec, watch):
    spec = make_spec()
    launch(adapter, spec)
    wait_phase(adapter, spec.ref, Phase.READY)
    fault = double.faults.add(verb="list", path="pods", status=500)
    stream = watch()
    assert [next(stream) for _ in range(3)] == [None, None, None]
    double.faults.present.remove(fault)
    assert [seen.phase for seen in until(stream, spec.name, Phase.READY)] == [Phase.READY]


def test_events_of_others_are_not_kept(double, watch):
    stream = watch()
    double.load([
        {"apiVersion": "v1", "kind": "Event", "metadata": {"name": f"e{number}", "namespace": "default"}, "reason": "Scheduled",
         "involvedObject": {"kind": kind, "namespace": "default", "name": name, "uid": "1"}}
        for number, (kind, name) in enumerate([("Pod", "web-0"), ("Node", "i-node"), ("StatefulSet", "i-others")])
    ])  # fmt: skip
    assert [next(stream) for _ in range(3)] == [None, None, None]


def test_a_closed_watch_leaves_no_connection(double, watch):
    stream = watch()
    next(stream)
    wait_for(lambda: double.watches() == 5)
    stream.close()
    wait_for(partial(lambda: double.watches() == 0))
