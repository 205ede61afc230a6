"""What is written of an ended workload is what is read of it, by whoever reads it and however late."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.clusters.base import Phase, StaleEpoch
from engines.clusters.kubernetes.pruning import prune
from engines.clusters.kubernetes.tombstones import Tombstone, forgettable, inscription, key_of, read
from tests.contract.workloads import stop, wait_phase

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
MOMENTS = st.integers(0, 7_258_118_400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
STONES = st.builds(Tombstone, st.integers(1, 2**40), st.none() | MOMENTS, st.text(max_size=50), st.none() | MOMENTS)


def claim(**notes: str) -> dict:
    annotations = {key_of(name.replace("_", "-")): note for name, note in notes.items()}
    return {"metadata": {"name": "v-a", "annotations": {"other": "x"} | annotations}}


@given(STONES)
def test_what_is_written_is_read_also_from_what_a_watcher_keeps(stone):
    kept = claim(i_a=inscription(stone))
    assert read(kept, "i-a") == read(prune("PersistentVolumeClaim", kept), "i-a") == stone
    assert read(kept, "i-b") is None


def test_it_is_in_whole_seconds_of_utc():
    at = datetime(2026, 11, 22, 9, 30, 15, 999_999, tzinfo=timezone(timedelta(hours=8)))
    stone = Tombstone(3, at, "run", at)
    assert inscription(stone) == (
        '{"epoch": 3, "run": "run", "at": "2026-11-22T01:30:15+00:00", "ended_at": "2026-11-22T01:30:15+00:00"}'
    )


@pytest.mark.parametrize("garbled", ["", "{", "[]", "null", "7", '{"epoch": "x"}', '{"epoch": 0}', '{"run": "a"}', "[" * 100_000])
def test_what_somebody_garbled_is_nothing(garbled):
    assert read(claim(i_a=garbled), "i-a") is None


def test_a_moment_that_somebody_garbled_does_not_cost_the_epoch():
    assert read(claim(i_a='{"epoch": 4, "run": 3, "at": "soon", "ended_at": "2026-11-22T08:00:00"}'), "i-a") == Tombstone(
        4, ended_at=NOW
    )


def test_those_of_long_ago_are_forgotten_and_no_others():
    notes = {
        "i_old": inscription(Tombstone(1, NOW - timedelta(days=40, seconds=1))),
        "i_month": inscription(Tombstone(1, NOW - timedelta(days=39))),
        "i_undated": inscription(Tombstone(1)),
        "i_garbled": "{",
    }
    assert set(forgettable(claim(**notes), now=NOW)) == {key_of("i-old"), key_of("i-garbled")}
    assert list(forgettable({"metadata": {}}, now=NOW)) == []


# --- on a cluster ---


def run(adapter, spec):
    adapter.ensure_volume(spec.volume_ref, tenant=spec.tenant, size_gib=1)
    adapter.apply(spec)
    return wait_phase(adapter, spec.ref, Phase.READY)


def test_another_process_knows_the_end_of_a_deleted_workload(make_adapter, make_spec):
    one, spec = make_adapter(), make_spec()
    run(one, spec)
    gone = stop(one, spec.ref)
    one.delete(spec.ref, epoch=2, grace_seconds=1)
    seen = make_adapter().observe(spec.ref)
    assert (seen.phase, seen.epoch, seen.run_id, seen.remains) == (Phase.GONE, 2, gone.run_id, False)
    assert gone.ended_at is not None
    assert seen.ended_at == gone.ended_at.replace(microsecond=0)


def test_an_end_that_nobody_saw_before_the_deletion_is_not_made_up(make_adapter, make_spec):
    one, spec = make_adapter(), make_spec()
    ready = run(one, spec)
    one.delete(spec.ref, epoch=2, grace_seconds=1)
    wait_phase(one, spec.ref, Phase.GONE)
    seen = make_adapter().observe(spec.ref)
    assert (seen.run_id, seen.epoch, seen.ended_at) == (ready.run_id, 2, None)


def test_a_stop_before_the_first_apply_is_remembered_too(double, make_adapter, make_spec):
    spec = make_spec()
    make_adapter().ensure_volume(spec.volume_ref, tenant=spec.tenant, size_gib=1)
    make_adapter().stop(spec.ref, epoch=1, grace_seconds=1)
    stone = read(double.get("persistentvolumeclaims", spec.namespace, spec.volume), spec.name)
    assert (stone.epoch, stone.run_id, stone.ended_at) == (1, "", None)
    assert abs(datetime.now(UTC) - stone.written_at) < timedelta(minutes=1)
    with pytest.raises(StaleEpoch):
        make_adapter().apply(spec)
    make_adapter().apply(replace(spec, epoch=2))
