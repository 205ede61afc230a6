"""The port's promises on a real cluster, one story each: what the double is believed to do is seen here."""

from dataclasses import replace

import pytest

from engines.clusters.base import ClusterError, Phase, StaleEpoch
from engines.reasons import Reason
from tests.waiting import wait_until

PATIENCE_SECONDS = 180


def wait_phase(cluster, workload, phase):
    looks = []

    def arrived():
        looks.append(cluster.observe(workload))
        return looks[-1].phase == phase

    wait_until(arrived, seconds=PATIENCE_SECONDS, pause=0.2)
    return looks[-1]


def test_a_life(cluster, make_spec):
    spec = make_spec("--greet", "hello")
    cluster.apply(spec)
    first = wait_phase(cluster, spec.ref, Phase.READY)
    assert first.upstream
    assert first.run_id
    assert "engine up hello" in cluster.read_log(spec.ref).text
    with pytest.raises(ClusterError) as refusal:
        cluster.delete_volume(spec.volume_ref)
    assert refusal.value.reason == Reason.VOLUME_IN_USE

    cluster.stop(spec.ref, epoch=1, grace_seconds=5)
    gone = wait_phase(cluster, spec.ref, Phase.GONE)
    assert (gone.run_id, gone.remains) == (first.run_id, True)
    with pytest.raises(StaleEpoch):
        cluster.apply(spec)

    cluster.apply(replace(spec, epoch=2, args=("--greet", "again")))
    assert wait_phase(cluster, spec.ref, Phase.READY).run_id != first.run_id
    assert "engine up again" in cluster.read_log(spec.ref).text

    cluster.delete(spec.ref, epoch=3, grace_seconds=5)
    wait_until(lambda: not cluster.observe(spec.ref).remains, seconds=PATIENCE_SECONDS)
    wait_phase(cluster, spec.ref, Phase.GONE)
    with pytest.raises(StaleEpoch):
        cluster.apply(replace(spec, epoch=3))
    cluster.delete_volume(spec.volume_ref)


def test_an_engine_that_ends_is_broken_with_its_evidence(cluster, make_spec):
    spec = make_spec("--exit-after", "0", "--exit-code", "7")
    cluster.apply(spec)
    seen = wait_phase(cluster, spec.ref, Phase.BROKEN)
    assert seen.reason == Reason.ENGINE_EXITED
    assert "exit code 7" in seen.evidence


def test_an_image_that_is_not_there_is_broken(cluster, make_spec):
    spec = replace(make_spec(), image="registry.invalid/none:none")
    cluster.apply(spec)
    seen = wait_phase(cluster, spec.ref, Phase.BROKEN)
    assert str(seen.reason).startswith("image_")


def test_the_watch_tells_of_a_life(cluster, make_spec):
    spec, watch, phases = make_spec(), cluster.watch(), []

    def hears(phase):
        seen = next(watch)
        phases.extend([seen.phase] if seen is not None and seen.name == spec.name else [])
        return phase in phases

    cluster.apply(spec)
    wait_until(lambda: hears(Phase.READY), seconds=PATIENCE_SECONDS)
    cluster.stop(spec.ref, epoch=1, grace_seconds=5)
    wait_until(lambda: hears(Phase.GONE), seconds=PATIENCE_SECONDS)
    watch.close()
