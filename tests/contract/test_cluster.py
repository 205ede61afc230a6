"""The port's docstrings, sentence by sentence, for every adapter, with real engines."""

import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from engines.clusters.base import (
    ClusterError,
    ClusterUnavailable,
    FilesOpening,
    GpuSpec,
    Phase,
    StaleEpoch,
    VolumeRef,
    WorkloadRef,
)
from engines.reasons import Reason, is_failure
from tests import waiting
from tests.contract.workloads import (
    NAMESPACE,
    apply_in_time,
    end_and_settle,
    make_spec,
    own_name,
    start,
    stop,
    traits_of,
    wait_ended,
    wait_for,
    wait_phase,
)


def answer(observed):
    """What the engine says of itself: its environment. A Service leads to a Pod a moment after its engine answered first."""

    def told():
        try:
            with urllib.request.urlopen(f"http://{observed.upstream}/", timeout=10) as page:
                return page.read().decode()
        except urllib.error.URLError:
            return ""

    return dict(line.split("=", 1) for line in wait_for(told).splitlines() if "=" in line)


def volume_of(observed):
    return answer(observed)["HOME"]


# --- volumes ---


def test_ensure_volume_creates_it(cluster):
    assert not cluster.volume_exists(VolumeRef("v-new", NAMESPACE))
    cluster.ensure_volume(VolumeRef("v-new", NAMESPACE), tenant="acme", size_gib=1)
    assert cluster.volume_exists(VolumeRef("v-new", NAMESPACE))


def test_ensure_volume_never_touches_what_is_on_it(cluster):
    spec = make_spec(cluster, "--unready")
    cluster.apply(spec)
    running = wait_phase(cluster, spec.ref, Phase.STARTING)
    wait_for(lambda: "listening" in cluster.read_log(spec.ref).text)
    stop(cluster, spec.ref)
    cluster.ensure_volume(spec.volume_ref, tenant="acme", size_gib=2)
    keep = start(cluster, replace(spec, epoch=2, args=("--touch", "ready", "--unready")))
    stop(cluster, spec.ref, epoch=2)
    cluster.ensure_volume(spec.volume_ref, tenant="acme", size_gib=2)
    again = start(cluster, replace(spec, epoch=3))
    assert len({running.run_id, keep.run_id, again.run_id}) == 3


def test_what_is_not_divided_keeps_no_volume_from_anywhere(cluster):
    assert cluster.can_mount(VolumeRef("v-new", NAMESPACE), pool="")
    cluster.ensure_volume(VolumeRef("v-new", NAMESPACE), tenant="acme", size_gib=1)
    assert cluster.can_mount(VolumeRef("v-new", NAMESPACE), pool="")


def test_volume_usage_measures(cluster):
    cluster.ensure_volume(VolumeRef("v-new", NAMESPACE), tenant="acme", size_gib=1)
    if not traits_of(cluster).measures:
        with pytest.raises(ClusterUnavailable):
            cluster.volume_usage(VolumeRef("v-new", NAMESPACE))
        return
    usage = cluster.volume_usage(VolumeRef("v-new", NAMESPACE))
    assert usage.used_bytes == 0
    assert usage.free_bytes is None or usage.free_bytes > 0


def test_volume_usage_of_a_missing_volume_is_refused(cluster):
    with pytest.raises(ClusterError) as refusal:
        cluster.volume_usage(VolumeRef("v-none", NAMESPACE))
    assert refusal.value.reason == Reason.VOLUME_MISSING


def test_delete_volume_removes_it_and_may_be_repeated(cluster):
    cluster.ensure_volume(VolumeRef("v-new", NAMESPACE), tenant="acme", size_gib=1)
    cluster.delete_volume(VolumeRef("v-new", NAMESPACE))
    cluster.delete_volume(VolumeRef("v-new", NAMESPACE))
    assert not cluster.volume_exists(VolumeRef("v-new", NAMESPACE))


def test_delete_volume_is_refused_while_a_workload_uses_it(cluster):
    spec = make_spec(cluster)
    start(cluster, spec)
    with pytest.raises(ClusterError):
        cluster.delete_volume(spec.volume_ref)
    assert cluster.volume_exists(spec.volume_ref)
    stop(cluster, spec.ref)
    cluster.delete_volume(spec.volume_ref)
    assert not cluster.volume_exists(spec.volume_ref)


def opened(cluster, volume):
    """The files, once the way to them is made."""

    def ask():
        try:
            return cluster.open_files(volume, tenant="acme")
        except FilesOpening:
            return None

    return wait_for(ask)


def test_open_files_gives_access_while_nothing_runs(cluster):
    spec = make_spec(cluster, "--spam", "10")
    start(cluster, spec)
    stop(cluster, spec.ref)
    opened(cluster, spec.volume_ref).make_folder("kept")
    assert "kept" in [entry.name for entry in opened(cluster, spec.volume_ref).list("").entries]


def test_open_files_of_a_missing_volume_is_refused(cluster):
    with pytest.raises(ClusterError) as refusal:
        cluster.open_files(VolumeRef("v-none", NAMESPACE), tenant="acme")
    assert refusal.value.reason == Reason.VOLUME_MISSING


# --- apply ---


def test_apply_runs_the_workload(cluster):
    spec = make_spec(cluster, environment={"STYLE": "{data}/styles"})
    before = datetime.now(UTC) - traits_of(cluster).clock
    cluster.apply(spec)
    assert cluster.observe(spec.ref).phase in {Phase.PENDING, Phase.STARTING}
    wait_phase(cluster, spec.ref, Phase.READY)
    seen = wait_for(lambda: (looked := cluster.observe(spec.ref)).ready_at and looked)
    assert before <= seen.started_at <= seen.ready_at <= seen.observed_at
    assert (seen.epoch, seen.ended_at, seen.reason) == (1, None, None)
    assert answer(seen)["STYLE"] == volume_of(seen) + "/styles"


def test_apply_does_nothing_if_the_epoch_was_applied_already(cluster):
    spec = make_spec(cluster)
    first = start(cluster, spec)
    cluster.apply(spec)
    again = cluster.observe(spec.ref)
    assert (again.phase, again.run_id, again.ready_at) == (Phase.READY, first.run_id, first.ready_at)


def test_apply_does_nothing_if_the_epoch_was_applied_and_has_exited_since(cluster):
    spec = make_spec(cluster, "--exit-after", "0", "--exit-code", "7")
    cluster.apply(spec)
    ended = wait_ended(cluster, spec.ref)
    cluster.apply(spec)
    again = cluster.observe(spec.ref)
    assert (again.phase, again.run_id, again.ended_at) == (ended.phase, ended.run_id, ended.ended_at)


def test_apply_of_a_newer_epoch_runs_what_has_exited(cluster):
    spec = make_spec(cluster, "--exit-after", "0")
    ended = end_and_settle(cluster, spec)
    fresh = start(cluster, replace(spec, epoch=2, args=()))
    assert fresh.run_id not in {"", ended.run_id}
    assert (fresh.epoch, fresh.ended_at) == (2, None)


def test_apply_of_a_newer_epoch_keeps_what_runs(cluster):
    spec = make_spec(cluster)
    first = start(cluster, spec)
    cluster.apply(replace(spec, epoch=2))
    again = cluster.observe(spec.ref)
    assert (again.phase, again.run_id, again.epoch) == (Phase.READY, first.run_id, 2)


def test_apply_while_the_last_run_is_ending_comes_to_a_fresh_run(cluster):
    spec = make_spec(cluster, "--ignore-sigterm")
    first = start(cluster, spec)
    cluster.stop(spec.ref, epoch=1, grace_seconds=600)  # whatever the machine is busy with, it is still ending
    with pytest.raises(ClusterUnavailable):
        cluster.apply(replace(spec, epoch=2))
    stop(cluster, spec.ref, epoch=1, grace_seconds=0)
    apply_in_time(cluster, replace(spec, epoch=2))
    assert wait_phase(cluster, spec.ref, Phase.READY).run_id != first.run_id


def test_apply_of_an_older_epoch_is_stale(cluster):
    spec = make_spec(cluster, epoch=5)
    first = start(cluster, spec)
    with pytest.raises(StaleEpoch):
        cluster.apply(replace(spec, epoch=4))
    assert cluster.observe(spec.ref).run_id == first.run_id


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_apply_of_a_stopped_epoch_is_stale(cluster, epoch):
    spec = make_spec(cluster)
    start(cluster, spec)
    stop(cluster, spec.ref, epoch=3)
    with pytest.raises(StaleEpoch):
        cluster.apply(replace(spec, epoch=epoch))
    assert cluster.observe(spec.ref).phase == Phase.GONE


def test_apply_after_a_stop_that_came_first_is_stale(cluster):
    spec = make_spec(cluster)
    cluster.stop(spec.ref, epoch=1, grace_seconds=1)
    with pytest.raises(StaleEpoch):
        cluster.apply(spec)
    assert cluster.observe(spec.ref).phase == Phase.GONE
    start(cluster, replace(spec, epoch=2))


def test_apply_after_a_delete_is_stale(cluster):
    spec = make_spec(cluster)
    start(cluster, spec)
    cluster.delete(spec.ref, epoch=2, grace_seconds=5)
    wait_phase(cluster, spec.ref, Phase.GONE)
    for epoch in (1, 2):
        with pytest.raises(StaleEpoch):
            cluster.apply(replace(spec, epoch=epoch))
    assert cluster.list_workloads() == []
    start(cluster, replace(spec, epoch=3))


def test_apply_never_creates_the_volume(cluster):
    spec = make_spec(cluster, volume="v-other")
    cluster.delete_volume(VolumeRef("v-other", NAMESPACE))
    with pytest.raises(ClusterError) as refusal:
        cluster.apply(spec)
    assert refusal.value.reason == Reason.VOLUME_MISSING
    assert not cluster.volume_exists(VolumeRef("v-other", NAMESPACE))
    assert cluster.observe(spec.ref).phase == Phase.GONE


@pytest.mark.parametrize("command", [("/does/not/exist",), (__file__,), ("{python}", "{weights}")])
def test_a_refused_apply_leaves_nothing_and_may_be_tried_again(cluster, command):
    spec = make_spec(cluster)
    if not traits_of(cluster).refuses_at_once:
        cluster.apply(replace(spec, command=command))
        seen = wait_phase(cluster, spec.ref, Phase.BROKEN)
        assert seen.reason in {Reason.START_REFUSED, Reason.ENGINE_EXITED}  # one of them is a program that ends at once
        assert is_failure(seen.reason)
        stop(cluster, spec.ref)
        start(cluster, replace(spec, epoch=2))
        return
    with pytest.raises(ClusterError) as refusal:
        cluster.apply(replace(spec, command=command))
    assert refusal.value.reason == Reason.START_REFUSED
    assert cluster.observe(spec.ref).phase == Phase.GONE
    assert cluster.list_workloads() == []
    start(cluster, spec)


def test_a_refused_apply_leaves_the_earlier_end_as_it_was(cluster):
    spec = make_spec(cluster, "--exit-after", "0", "--exit-code", "4")
    ended = end_and_settle(cluster, spec)
    before = cluster.observe(spec.ref)
    refused = replace(spec, epoch=2, volume="v-none")
    cluster.delete_volume(refused.volume_ref)
    with pytest.raises(ClusterError):
        cluster.apply(replace(refused, name=own_name("other")))
    again = cluster.observe(spec.ref)
    assert (again.phase, again.run_id, again.epoch, again.evidence) == (before.phase, ended.run_id, 1, before.evidence)


def test_many_at_once_apply_one_run(cluster):
    spec = make_spec(cluster)
    barrier = threading.Barrier(8)

    def apply(_):
        barrier.wait()
        cluster.apply(spec)
        return cluster.observe(spec.ref).run_id

    with ThreadPoolExecutor(8) as pool:
        runs = set(pool.map(apply, range(8)))
    assert runs == {wait_phase(cluster, spec.ref, Phase.READY).run_id}


# --- stop and delete ---


def test_stop_returns_at_once_and_the_workload_goes(cluster):
    spec = make_spec(cluster, "--ignore-sigterm")
    started = start(cluster, spec)
    cluster.stop(spec.ref, epoch=1, grace_seconds=600)
    stopping = cluster.observe(spec.ref)
    assert (stopping.phase, stopping.run_id, stopping.upstream) == (Phase.STOPPING, started.run_id, started.upstream)
    gone = stop(cluster, spec.ref, epoch=1, grace_seconds=0.4)
    assert (gone.run_id, gone.epoch, gone.upstream, gone.reason) == (started.run_id, 1, "", None)
    assert started.ready_at <= gone.ended_at <= gone.observed_at


def test_stop_gives_the_engine_its_grace(cluster):
    spec = make_spec(cluster, "--leave-a-note")
    start(cluster, spec)
    stop(cluster, spec.ref, grace_seconds=60)
    again = start(cluster, replace(spec, epoch=2))
    assert answer(again)["NOTE"] == "left in peace"


def test_a_second_stop_may_hasten_the_end_but_not_postpone_it(cluster):
    spec = make_spec(cluster, "--ignore-sigterm")
    start(cluster, spec)
    cluster.stop(spec.ref, epoch=2, grace_seconds=600)
    cluster.stop(spec.ref, epoch=1, grace_seconds=0)
    cluster.stop(spec.ref, epoch=2, grace_seconds=600)
    wait_phase(cluster, spec.ref, Phase.GONE)


def test_the_watch_forces_what_does_not_stop(cluster):
    spec = make_spec(cluster, "--ignore-sigterm")
    start(cluster, spec)
    cluster.stop(spec.ref, epoch=1, grace_seconds=0.2)
    phases = [seen.phase for seen in until(cluster.watch(), lambda seen: seen.phase == Phase.GONE)]
    assert phases[-1] == Phase.GONE


def test_stop_leaves_the_volume(cluster):
    spec = make_spec(cluster)
    start(cluster, spec)
    stop(cluster, spec.ref)
    assert cluster.volume_exists(spec.volume_ref)


def test_stop_does_nothing_if_nothing_runs(cluster):
    spec = make_spec(cluster)
    start(cluster, spec)
    gone = stop(cluster, spec.ref)
    cluster.stop(spec.ref, epoch=1, grace_seconds=0)
    again = cluster.observe(spec.ref)
    assert (again.phase, again.run_id, again.ended_at) == (Phase.GONE, gone.run_id, gone.ended_at)


def test_stop_of_a_workload_that_was_never_there_does_nothing(cluster):
    cluster.stop(WorkloadRef("i-none", NAMESPACE), epoch=1, grace_seconds=1)
    assert cluster.observe(WorkloadRef("i-none", NAMESPACE)).phase == Phase.GONE
    assert cluster.list_workloads() == []


def test_stop_before_a_newer_epoch_is_stale(cluster):
    spec = make_spec(cluster, epoch=3)
    first = start(cluster, spec)
    for end in (cluster.stop, cluster.delete):
        with pytest.raises(StaleEpoch):
            end(spec.ref, epoch=2, grace_seconds=0)
    seen = cluster.observe(spec.ref)
    assert (seen.phase, seen.run_id) == (Phase.READY, first.run_id)


def test_stop_settles_what_has_exited(cluster):
    spec = make_spec(cluster, "--exit-after", "0")
    cluster.apply(spec)
    ended = wait_ended(cluster, spec.ref)
    gone = stop(cluster, spec.ref)
    assert gone.run_id == ended.run_id
    assert ended.ended_at in {None, gone.ended_at}


def test_a_stop_during_a_slow_start_wins(cluster):
    spec = make_spec(cluster, "--start-delay", "600")
    cluster.apply(spec)
    stop(cluster, spec.ref)


def test_a_stopped_workload_runs_again_on_its_volume(cluster):
    spec = make_spec(cluster)
    first = start(cluster, spec)
    stop(cluster, spec.ref)
    again = start(cluster, replace(spec, epoch=2))
    assert again.run_id != first.run_id
    assert spec.volume in volume_of(again)


def test_delete_stops_and_forgets_once_gone(cluster):
    spec = make_spec(cluster)
    started = start(cluster, spec)
    cluster.delete(spec.ref, epoch=2, grace_seconds=10)
    gone = wait_phase(cluster, spec.ref, Phase.GONE)
    assert (gone.run_id, gone.ended_at is None) == (started.run_id, False)
    assert cluster.list_workloads() == []
    assert cluster.volume_exists(spec.volume_ref)
    cluster.delete(spec.ref, epoch=2, grace_seconds=10)
    assert cluster.list_workloads() == []


def test_delete_of_a_stopped_workload_forgets_it(cluster):
    spec = make_spec(cluster)
    start(cluster, spec)
    stop(cluster, spec.ref)
    cluster.delete(spec.ref, epoch=2, grace_seconds=10)
    assert cluster.list_workloads() == []


# --- looking ---


def test_observe_of_a_workload_that_was_never_there_is_gone(cluster):
    seen = cluster.observe(WorkloadRef("i-none", NAMESPACE))
    assert (seen.name, seen.phase, seen.run_id, seen.epoch) == ("i-none", Phase.GONE, "", 0)


def test_the_upstream_is_known_before_it_answers(cluster):
    spec = make_spec(cluster, "--start-delay", "600")
    cluster.apply(spec)
    seen = wait_phase(cluster, spec.ref, Phase.STARTING)
    assert seen.upstream.rpartition(":")[2].isdigit()
    assert seen.ready_at is None


def test_an_answer_other_than_2xx_or_3xx_is_not_ready(cluster):
    spec = make_spec(cluster, "--unready")
    cluster.apply(spec)
    wait_for(lambda: "listening" in cluster.read_log(spec.ref).text)
    assert cluster.observe(spec.ref).phase == Phase.STARTING


def test_an_engine_that_ends_unasked_has_exited_with_its_evidence(cluster):
    spec = make_spec(cluster, "--exit-after", "0", "--exit-code", "7", "--greet", "goodbye")
    cluster.apply(spec)
    seen = wait_ended(cluster, spec.ref)
    assert (seen.reason, seen.upstream) == (Reason.ENGINE_EXITED, "")
    assert "exit code 7" in seen.evidence
    assert "engine up goodbye" in seen.evidence
    assert seen.started_at <= (seen.ended_at or seen.observed_at) <= seen.observed_at


def test_list_workloads_shows_all_until_they_are_deleted(cluster):
    runs, exits, stops, deleted = (make_spec(cluster, *flags) for flags in ([], ["--exit-after", "0"], [], []))
    for spec in (runs, exits, stops, deleted):
        cluster.apply(spec)
    wait_phase(cluster, runs.ref, Phase.READY)
    wait_ended(cluster, exits.ref)
    stop(cluster, stops.ref)
    cluster.delete(deleted.ref, epoch=1, grace_seconds=5)
    wait_phase(cluster, deleted.ref, Phase.GONE)
    listed = {seen.name: seen.phase for seen in cluster.list_workloads()}
    assert listed == {runs.name: Phase.READY, exits.name: traits_of(cluster).ended, stops.name: Phase.GONE}


# --- watch ---


def until(watch, last):
    """Collect observations up to the one that `last` accepts."""
    collected = []
    deadline = datetime.now(UTC).timestamp() + waiting.DEADLINE_SECONDS
    for seen in watch:
        assert datetime.now(UTC).timestamp() < deadline, collected
        if seen is not None:
            collected.append(seen)
            if last(seen):
                return collected
    return collected


def test_watch_yields_the_present_state_of_all_then_each_change(cluster):
    old, new = make_spec(cluster), make_spec(cluster)
    start(cluster, old)
    watch = cluster.watch()
    assert [(seen.name, seen.phase) for seen in until(watch, lambda _: True)] == [(old.name, Phase.READY)]
    cluster.apply(new)
    came_up = until(watch, lambda seen: seen.phase == Phase.READY)
    assert {seen.name for seen in came_up} == {new.name}
    cluster.stop(old.ref, epoch=1, grace_seconds=10)
    went = until(watch, lambda seen: seen.phase == Phase.GONE)
    assert {(seen.name, seen.phase) for seen in went} - {(new.name, Phase.READY)} <= {(old.name, each) for each in Phase}
    watch.close()


def test_watch_tells_of_an_end_and_of_a_deletion(cluster):
    ends, deleted = make_spec(cluster, "--exit-after", "0.3"), make_spec(cluster)
    start(cluster, deleted)
    watch = cluster.watch()
    cluster.apply(ends)
    assert until(watch, lambda seen: seen.phase == traits_of(cluster).ended)[-1].name == ends.name
    cluster.delete(deleted.ref, epoch=1, grace_seconds=10)
    gone = until(watch, lambda seen: seen.phase == Phase.GONE)[-1]
    assert (gone.name, gone.ended_at is None) == (deleted.name, False)
    watch.close()


def test_watch_says_nothing_twice(cluster):
    spec = make_spec(cluster)
    start(cluster, spec)
    watch = cluster.watch()
    until(watch, lambda _: True)
    assert [next(watch) for _ in range(3)] == [None, None, None]
    watch.close()


def test_watch_yields_none_when_there_is_nothing(cluster):
    watch = cluster.watch()
    assert next(watch) is None
    watch.close()


# --- logs and capacity ---


def test_read_log_reads_the_tail_then_on_from_the_cursor(cluster):
    spec = make_spec(cluster, "--greet", "héllo")
    start(cluster, spec)
    first = cluster.read_log(spec.ref)
    assert first.text == "engine up héllo\nlistening\n"
    assert cluster.read_log(spec.ref, cursor=first.cursor).text == ""
    assert cluster.read_log(spec.ref, tail_bytes=10).text == "listening\n"
    stop(cluster, spec.ref)
    if traits_of(cluster).keeps_logs:
        assert cluster.read_log(spec.ref, cursor=first.cursor).text == "stopping\n"
    else:
        assert cluster.read_log(spec.ref, cursor=first.cursor).text == ""


def test_a_cursor_of_an_older_run_starts_the_newer_log_at_its_beginning(cluster):
    spec = make_spec(cluster, "--greet", "one")
    start(cluster, spec)
    cursor = cluster.read_log(spec.ref).cursor
    stop(cluster, spec.ref)
    start(cluster, replace(spec, epoch=2, args=("--greet", "two")))
    assert cluster.read_log(spec.ref, cursor=cursor).text == "engine up two\nlistening\n"


def test_the_log_of_a_workload_that_was_never_there_is_empty(cluster):
    assert cluster.read_log(WorkloadRef("i-none", NAMESPACE)).text == ""


def test_load_tells_what_works_from_what_does_not(cluster):
    idle, works = make_spec(cluster), make_spec(cluster, "--burn")
    for spec in (idle, works):
        start(cluster, spec)
    wait_for(lambda: (load := cluster.load(works.ref)) is not None and load.cpu_share > 0.05)
    wait_for(lambda: (load := cluster.load(idle.ref)) is not None and load.cpu_share < 0.05)
    assert cluster.load(works.ref).gpu_share is None


def test_load_of_what_does_not_run_is_none(cluster):
    spec = make_spec(cluster)
    assert cluster.load(WorkloadRef("i-none", NAMESPACE)) is None
    start(cluster, spec)
    stop(cluster, spec.ref)
    assert cluster.load(spec.ref) is None


def test_capacity_counts_the_slots_of_every_class(cluster):
    assert [(each.gpu_class, each.total > 0) for each in cluster.capacity([GpuSpec("cpu")])] == [("cpu", True)]
