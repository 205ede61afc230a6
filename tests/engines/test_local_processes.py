"""Who belongs to a run: no orphan stays, and nobody else is ever signalled."""

import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from engines.clusters.base import Phase
from engines.clusters.local import processes
from engines.clusters.local.processes import Identity
from engines.reasons import Reason
from tests.contract.workloads import living, make_spec, start, stop, wait_for, wait_phase
from tests.engines.local_cluster import ONE, leases, sleeper


@pytest.fixture
def foreigner():
    """A process of somebody else's."""
    process = subprocess.Popen(["/bin/sleep", "600"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def recorder(name):
    return next(process for process in living(name) if process.name() == "sh")


def engine(name):
    return next(process for process in living(name) if process.name() != "sh")


def kill_all(name):
    """Until nothing is left: one that is just starting may fork meanwhile."""
    wait_for(lambda: [process.kill() for process in living(name)] == [])


def change_run(cluster, name, **changes):
    record = cluster.store.load(name)
    cluster.store.save(replace(record, run=replace(record.run, **changes)))


def test_a_number_given_again_is_not_mistaken_for_the_engine(local_cluster, foreigner):
    spec = sleeper()
    local_cluster.apply(spec)
    born = processes.identify(foreigner.pid)
    kill_all(spec.name)
    change_run(local_cluster, spec.name, leader=replace(born, birth=f"{born.boot}:1"), known=(Identity(foreigner.pid, "x:1"),))
    assert local_cluster.observe(spec.ref).phase == Phase.EXITED
    local_cluster.stop(spec.ref, epoch=1, grace_seconds=0)
    assert local_cluster.observe(spec.ref).phase == Phase.GONE
    assert foreigner.poll() is None


def test_send_reaches_only_who_is_meant(foreigner):
    real = processes.identify(foreigner.pid)
    processes.send([Identity(foreigner.pid, f"{real.boot}:1"), Identity(2**22 + 1, real.birth)], signal.SIGKILL)
    assert foreigner.poll() is None
    processes.send([real], signal.SIGKILL)
    assert foreigner.wait(10) == -signal.SIGKILL


def test_a_zombie_is_not_alive():
    child = os.posix_spawn("/bin/true", ["true"], {})
    identity = processes.identify(child)
    wait_for(lambda: psutil.Process(child).status() == psutil.STATUS_ZOMBIE)
    assert not processes.is_alive(identity)
    os.waitpid(child, 0)
    assert processes.identify(child) is None


def test_stop_ends_a_grandchild_that_left_the_session(local_cluster):
    spec = make_spec(local_cluster, "--grandchild")
    start(local_cluster, spec)
    wait_for(lambda: "orphan up" in local_cluster.read_log(spec.ref).text)
    assert len({os.getsid(process.pid) for process in living(spec.name)}) == 2
    local_cluster.stop(spec.ref, epoch=1, grace_seconds=0.5)
    wait_for(lambda: len(living(spec.name)) == 1)
    gone = wait_phase(local_cluster, spec.ref, Phase.GONE)
    assert living(spec.name) == []
    # The engine itself ended in peace; only what it left behind was forced.
    assert gone.evidence.splitlines()[0] == "exit code 0"


def test_what_outlives_an_engine_that_ended_by_itself_is_ended(local_cluster):
    spec = make_spec(local_cluster, "--grandchild", "--exit-after", "1", "--exit-code", "9")
    local_cluster.apply(spec)
    seen = wait_phase(local_cluster, spec.ref, Phase.EXITED)
    assert living(spec.name) == []
    assert (seen.reason, seen.evidence.splitlines()[0]) == (Reason.ENGINE_EXITED, "exit code 9")


def test_an_engine_whose_recorder_was_killed_runs_on(local_cluster):
    spec = make_spec(local_cluster)
    first = start(local_cluster, spec)
    recorder(spec.name).kill()
    wait_for(lambda: len(living(spec.name)) == 1)
    seen = local_cluster.observe(spec.ref)
    assert (seen.phase, seen.run_id, seen.ready_at) == (Phase.READY, first.run_id, first.ready_at)
    gone = stop(local_cluster, spec.ref)
    assert (gone.ended_at, living(spec.name)) == (None, [])


def test_an_engine_killed_from_outside(local_cluster):
    spec = make_spec(local_cluster)
    start(local_cluster, spec)
    engine(spec.name).kill()
    seen = wait_phase(local_cluster, spec.ref, Phase.EXITED)
    assert (seen.reason, seen.evidence.splitlines()[0]) == (Reason.ENGINE_KILLED, "exit code 137 (SIGKILL)")
    assert seen.ready_at <= seen.ended_at <= seen.observed_at
    assert leases(Path(local_cluster.store.layout.root)) == {}


def test_everything_killed_at_once_has_no_known_end(local_cluster):
    spec = make_spec(local_cluster)
    start(local_cluster, spec)
    recorder(spec.name).kill()
    kill_all(spec.name)
    seen = wait_phase(local_cluster, spec.ref, Phase.EXITED)
    assert (seen.reason, seen.ended_at) == (Reason.ENGINE_KILLED, None)


def test_a_restart_of_the_machine_is_told_apart(local_cluster):
    spec = sleeper()
    local_cluster.apply(spec)
    kill_all(spec.name)
    change_run(local_cluster, spec.name, leader=Identity(1, "00000000-another-boot:1"))
    seen = local_cluster.observe(spec.ref)
    assert (seen.phase, seen.reason, seen.ended_at) == (Phase.EXITED, Reason.WORKLOAD_VANISHED, None)


def test_a_caller_keeps_no_zombies(local_cluster):
    spec = sleeper()
    local_cluster.apply(spec)
    leader = recorder(spec.name)
    assert leader.ppid() == os.getpid()
    stop(local_cluster, spec.ref)
    wait_for(lambda: not psutil.pid_exists(leader.pid))


def test_an_engine_inherits_nothing_but_what_it_needs(local_cluster, local_config, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://secret")
    inherited = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(inherited, True)
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        spec = sleeper(environment={"STYLE": "{port}", "AIGC_RUN": "forged"})
        local_cluster.apply(spec)
    finally:
        signal.signal(signal.SIGUSR1, before)
        os.close(inherited)
    wait_for(lambda: [process.name() for process in living(spec.name)] == ["sh", "sleep"])
    process, seen = engine(spec.name), local_cluster.observe(spec.ref)
    root = local_config["root"]
    assert process.environ() == {
        "PATH": os.environ["PATH"],
        "HOME": f"{root}/volumes/v-one",
        "PWD": f"{root}/volumes/v-one",
        "LANG": "C.UTF-8",
        "TMPDIR": f"{root}/workloads/{ONE}/tmp",
        "PYTHONUNBUFFERED": "1",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES": "",
        "STYLE": seen.upstream.rpartition(":")[2],
        "AIGC_RUN": seen.run_id,
        "AIGC_WORKLOAD": ONE,
        "AIGC_CLUSTER": root,
    }
    assert process.cwd() == f"{root}/volumes/v-one"
    assert sorted(path.name for path in Path(f"/proc/{process.pid}/fd").iterdir()) == ["0", "1", "2"]
    status = dict(line.split(":", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
    ordinary = 2**31 - 1  # the C library keeps two of the others for itself
    assert (int(status["SigIgn"], 16) & ordinary, int(status["SigBlk"], 16)) == (0, 0)


def test_shutdown_ends_all_without_forgetting_them(local_cluster):
    spec, other = make_spec(local_cluster), make_spec(local_cluster, "--ignore-sigterm")
    start(local_cluster, spec)
    start(local_cluster, other)
    began = time.monotonic()
    local_cluster.shutdown(grace_seconds=0.5)
    assert time.monotonic() - began > 0.4
    assert (living(spec.name), living(other.name)) == ([], [])
    seen = {each.name: (each.phase, each.reason, each.epoch) for each in local_cluster.list_workloads()}
    ended = (Phase.EXITED, Reason.WORKLOAD_VANISHED, 1)
    assert seen == {spec.name: ended, other.name: ended}
    assert local_cluster.read_log(spec.ref).text.splitlines()[-1] == "stopping"
