"""kill -9 of whoever calls, right before each change to a file or process: the next call makes it good."""

from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from engines.clusters.base import Phase, VolumeRef, WorkloadRef
from tests.contract.workloads import living, own_name, wait_for, wait_phase
from tests.engines.local_cluster import call, call_and_die, in_process, leases, processes, sleeper

LAST_STEP = 200


def engines(name):
    """Recorder and engine are two processes; anything else is one too many or too few."""
    names = []
    for process in living(name):
        with suppress(psutil.NoSuchProcess):  # it ended since
            names.append(process.name())
    return names


def one_engine(name):
    wait_for(lambda: engines(name) == ["sh", "sleep"])
    assert len({process.environ()["AIGC_RUN"] for process in living(name)}) == 1


def nothing_left(cluster, config, name):
    wait_for(lambda: cluster.observe(WorkloadRef(name)).phase == Phase.GONE)
    assert engines(name) == []
    assert leases(Path(config["root"])) == {}


def test_an_apply_cut_off_anywhere_is_finished_by_the_next(local_cluster, local_config):
    for step in range(1, LAST_STEP):
        spec = sleeper(own_name(step))
        finished = in_process(call_and_die, step, local_config, "apply", spec) == 0
        local_cluster.apply(spec)
        assert local_cluster.observe(spec.ref).phase == Phase.STARTING
        one_engine(spec.name)
        local_cluster.delete(spec.ref, epoch=1, grace_seconds=5)
        nothing_left(local_cluster, local_config, spec.name)
        if finished:
            break
    assert 8 < step < LAST_STEP - 1


def test_an_apply_cut_off_anywhere_can_be_stopped(local_cluster, local_config):
    for step in range(1, LAST_STEP):
        spec = sleeper(own_name(step))
        finished = in_process(call_and_die, step, local_config, "apply", spec) == 0
        local_cluster.stop(spec.ref, epoch=1, grace_seconds=5)
        wait_phase(local_cluster, spec.ref, Phase.GONE)
        assert engines(spec.name) == []
        if finished:
            break
    # What was leased for a run that never came to be is given back when somebody needs it.
    local_cluster.delete_volume(VolumeRef("v-one"))
    assert leases(Path(local_config["root"])) == {}


@pytest.mark.parametrize("method", ["stop", "delete"])
def test_an_end_cut_off_anywhere_is_finished_by_the_next(local_cluster, local_config, method):
    for step in range(1, LAST_STEP):
        spec = sleeper(own_name(step))
        local_cluster.apply(spec)
        one_engine(spec.name)
        finished = in_process(call_and_die, step, local_config, method, spec.ref, epoch=1, grace_seconds=0) == 0
        getattr(local_cluster, method)(spec.ref, epoch=1, grace_seconds=0)
        nothing_left(local_cluster, local_config, spec.name)
        if finished:
            break
    assert 8 < step < LAST_STEP - 1


def test_an_observation_cut_off_anywhere_tells_of_the_end_all_the_same(local_cluster, local_config):
    for step in range(1, LAST_STEP):
        spec = sleeper(own_name(step), command=("/bin/sh", "-c", "sleep 0.3; exit 7"))
        local_cluster.apply(spec)
        wait_for(lambda name=spec.name: engines(name) == [])
        finished = in_process(call_and_die, step, local_config, "observe", spec.ref) == 0
        seen = local_cluster.observe(spec.ref)
        assert (seen.phase, seen.evidence, seen.ended_at is None) == (Phase.EXITED, "exit code 7", False)
        assert leases(Path(local_config["root"])) == {}
        if finished:
            break
    assert 3 < step < LAST_STEP - 1


def test_a_start_cut_off_is_finished_by_a_look(local_cluster, local_config):
    """Kill right before the engine is started: from then on it is recorded, and whoever looks starts it."""
    steps_to_the_record = next(
        step
        for step in range(1, LAST_STEP)
        if in_process(call_and_die, step, local_config, "apply", sleeper(own_name(step))) == -9
        and local_cluster.store.load(own_name(step)) is not None
    )
    name = own_name(steps_to_the_record)
    assert local_cluster.observe(WorkloadRef(name)).phase == Phase.STARTING
    one_engine(name)


def test_eight_processes_at_once_start_one_engine(local_cluster, local_config):
    spec = sleeper()
    callers = [processes.Process(target=call, args=(local_config, "apply", spec)) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(20)
    assert [caller.exitcode for caller in callers] == [0] * 8
    one_engine(spec.name)


def test_an_engine_survives_whoever_started_it(local_cluster, local_config):
    spec = sleeper(command=("/bin/sh", "-c", "while [ ! -e {data}/end ]; do sleep 0.02; done; exit 5"))
    assert in_process(call, local_config, "apply", spec) == 0
    assert local_cluster.observe(spec.ref).phase == Phase.STARTING
    (Path(local_config["root"]) / "volumes" / "v-one" / "end").touch()
    wait_for(lambda: living(spec.name) == [])
    seen = local_cluster.observe(spec.ref)
    assert (seen.phase, seen.evidence) == (Phase.EXITED, "exit code 5")
    assert seen.started_at <= seen.ended_at <= seen.observed_at
