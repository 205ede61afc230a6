"""Facts about runs become billed time."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from billing.metering import Anomaly, BillFrom, Fact, Metered, OwnerChange, TagChange, Trouble, Usage, meter
from tests.billing.facts import fact, moment

T0 = moment("2026-03-01T00:00:00")


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def known(kind: str, seconds: float, **fields: Any) -> Fact:
    return fact(kind, at(seconds), **fields)


def metered(*facts: Fact, holds_gpu: bool = True, bill_from: BillFrom = BillFrom.READY) -> Metered:
    return meter(facts, holds_gpu=holds_gpu, bill_from=bill_from)


def times(*facts: Fact, **policy: Any) -> list[tuple[str, float, float | None]]:
    """Run, start and end of what is billed, in seconds since T0."""
    return [
        (
            usage.run_id,
            (usage.starts_at - T0).total_seconds(),
            None if usage.ends_at is None else (usage.ends_at - T0).total_seconds(),
        )
        for usage in metered(*facts, **policy).usage
    ]


STARTED, READY, ENDED = known("started", 5), known("ready", 20), known("ended", 100)
LAUNCHED = known("launched", 12)


@pytest.mark.parametrize(
    ("facts", "policy", "billed"),
    [
        ((STARTED, READY, ENDED), {}, [("run", 20, 100)]),
        ((STARTED, READY, ENDED), {"bill_from": BillFrom.STARTED}, [("run", 5, 100)]),
        ((READY, ENDED), {"bill_from": BillFrom.STARTED}, [("run", 20, 100)]),
        ((STARTED, LAUNCHED, READY, ENDED), {"bill_from": BillFrom.STARTED}, [("run", 12, 100)]),
        ((STARTED, LAUNCHED, READY, ENDED), {"bill_from": BillFrom.SCHEDULED}, [("run", 5, 100)]),
        ((LAUNCHED, READY, ENDED), {"bill_from": BillFrom.SCHEDULED}, [("run", 20, 100)]),
        # An operator's word counts before all others.
        ((READY, ENDED, known("ended", 40, source="operator")), {}, [("run", 20, 40)]),
        ((READY, ENDED, known("ended", 20, source="operator")), {}, []),
        # A start that failed is free.
        ((STARTED, ENDED), {}, []),
        ((STARTED, ENDED), {"bill_from": BillFrom.STARTED}, []),
        ((STARTED,), {"bill_from": BillFrom.STARTED}, []),
        ((), {}, []),
        # It lasts while the GPU is held.
        ((READY,), {}, [("run", 20, None)]),
        ((READY, known("seen", 70)), {"holds_gpu": False}, [("run", 20, 70)]),
        ((READY,), {"holds_gpu": False}, []),
        # The cluster's word counts before a conclusion from absence.
        ((READY, known("ended", 90, source="reconcile"), ENDED), {}, [("run", 20, 100)]),
        ((READY, known("ended", 90, source="reconcile")), {}, [("run", 20, 90)]),
        ((known("ready", 10, source="reconcile"), READY, ENDED), {}, [("run", 20, 100)]),
        # Of several words of one source the first counts.
        ((READY, known("ready", 40), ENDED, known("ended", 120)), {}, [("run", 20, 100)]),
        # A later sign of life refutes an absence.
        ((READY, known("ended", 50, source="reconcile"), known("seen", 60)), {}, [("run", 20, None)]),
        # Whole seconds, each moment floored.
        ((known("ready", 20.999), known("ended", 100.001)), {}, [("run", 20, 100)]),
        ((known("ready", 20.001), known("ended", 20.999)), {}, []),
    ],
)
def test_one_run(facts: tuple[Fact, ...], policy: dict[str, Any], billed: list[tuple[str, float, float | None]]) -> None:
    assert times(*facts, **policy) == billed
    assert metered(*facts, **policy).anomalies == ()


def test_end_before_its_start_bills_nothing_and_is_told() -> None:
    assert metered(READY, known("ended", 10)) == Metered((), (Anomaly("run", Trouble.ENDED_BEFORE_START),))


def test_end_without_a_start_bills_nothing_and_is_told() -> None:
    """Case 14, first half."""
    assert metered(ENDED) == Metered((), (Anomaly("run", Trouble.END_WITHOUT_START),))


def test_fact_from_the_future_is_left_out_and_told() -> None:
    future = known("ended", 1000, observed_at=at(699))
    assert metered(READY, future).anomalies == (Anomaly("run", Trouble.FROM_THE_FUTURE),)
    assert times(READY, future) == [("run", 20, None)]
    assert times(READY, known("ended", 1000, observed_at=at(700))) == [("run", 20, 1000)]


def test_fact_that_is_too_old_is_left_out_and_told() -> None:
    late = timedelta(days=35)
    old, in_time = (known("ready", 20, observed_at=at(20) + late + timedelta(seconds=more)) for more in (1, 0))
    assert metered(old, ENDED).anomalies == (Anomaly("run", Trouble.TOO_OLD), Anomaly("run", Trouble.END_WITHOUT_START))
    assert times(old, ENDED) == []
    assert times(in_time, ENDED) == [("run", 20, 100)]


@pytest.mark.parametrize(("at_second", "observed"), [(1000, 699), (20, 36 * 86_400)])
def test_operators_decide_about_facts_in_doubt(at_second: int, observed: int) -> None:
    counts, does_not = (known("ready", at_second, observed_at=at(observed), decided=word) for word in (True, False))
    assert metered(counts) == metered(known("ready", at_second))
    assert metered(counts).anomalies == metered(does_not).anomalies == ()
    assert metered(does_not) == Metered((), ())
    assert metered(known("ready", at_second, observed_at=at(observed), source="operator")).anomalies == ()


def test_run_of_a_lost_node_ends_where_the_next_begins() -> None:
    """Case 10: never two bills for one second of an instance."""
    facts = (
        known("ready", 0, run_id="a"),
        known("ended", 3300, run_id="a"),
        known("ready", 3000, run_id="b"),
        known("ended", 6000, run_id="b"),
    )
    assert times(*facts) == [("a", 0, 3000), ("b", 3000, 6000)]
    assert metered(*facts).anomalies == (Anomaly("a", Trouble.OVERLAP),)


def test_earlier_run_without_an_end_stays_over_when_the_next_starts() -> None:
    facts = (known("ready", 0, run_id="a"), known("seen", 300, run_id="a"), known("started", 900, run_id="b"))
    assert times(*facts) == [("a", 0, 300)]
    assert times(*facts, known("ready", 950, run_id="b")) == [("a", 0, 300), ("b", 950, None)]


@pytest.mark.parametrize(("before", "now"), [("a", "b"), ("b", "a")])
def test_sign_of_life_noted_before_the_start_does_not_make_a_run_an_earlier_one(before: str, now: str) -> None:
    old = (known("seen", 0, run_id=before), known("started", 1, run_id=before), known("ready", 2, run_id=before))
    new = (known("seen", 0, run_id=now), known("started", 60, run_id=now), known("ready", 61, run_id=now))
    assert times(*old, known("ended", 50, run_id=before), *new) == [(before, 2, 50), (now, 61, None)]


def test_new_owner_pays_from_the_second_of_the_change() -> None:
    """Case 12."""
    facts = (READY, known("seen", 50, owner_id=2), known("seen", 60, owner_id=2), known("seen", 80), known("ended", 100))
    assert [(usage.owner_id, usage.starts_at, usage.ends_at) for usage in metered(*facts).usage] == [
        (1, at(20), at(50)),
        (2, at(50), at(80)),
        (1, at(80), at(100)),
    ]


def test_run_keeps_the_gpu_class_that_it_started_with() -> None:
    wished_meanwhile = known("seen", 50, gpu_class_id=9)
    assert metered(STARTED, READY, wished_meanwhile, ENDED).usage == (Usage("run", at(20), at(100), 1, 1, 1),)


HANDED_OVER = OwnerChange(at(50.7), from_owner_id=1, to_owner_id=2)


def owners(*facts: Fact, changes: tuple[OwnerChange, ...] = (HANDED_OVER,)) -> list[tuple[int, float, float | None]]:
    """Owner, start and end of what is billed, in seconds since T0."""
    usage = meter(facts, holds_gpu=True, bill_from=BillFrom.READY, handovers=changes).usage
    return [(piece.owner_id, span[1], span[2]) for piece, span in zip(usage, _spans(usage), strict=True)]


def _spans(usage: tuple[Usage, ...]) -> list[tuple[str, float, float | None]]:
    return [
        (piece.run_id, (piece.starts_at - T0).total_seconds(), piece.ends_at and (piece.ends_at - T0).total_seconds())
        for piece in usage
    ]


@pytest.mark.parametrize(
    ("facts", "billed"),
    [
        # Nobody has looked since.
        ((READY,), [(1, 20, 50), (2, 50, None)]),
        ((READY, known("seen", 80, owner_id=2), known("ended", 100, owner_id=2)), [(1, 20, 50), (2, 50, 100)]),
        # What was noted after the hand-over, of a moment before it.
        ((known("ready", 20, owner_id=2), known("seen", 40, owner_id=2)), [(1, 20, 50), (2, 50, None)]),
        ((known("ready", 20, owner_id=2), known("ended", 45, owner_id=2)), [(1, 20, 45)]),
        # It began afterwards, or in the same second.
        ((known("ready", 60, owner_id=2),), [(2, 60, None)]),
        ((known("ready", 50, owner_id=1),), [(2, 50, None)]),
        # A hand-over is no sign of life: a run that nobody saw again ended before it.
        ((READY, known("seen", 30), known("ready", 90, run_id="next", owner_id=2)), [(1, 20, 30), (2, 90, None)]),
    ],
)
def test_a_hand_over_counts_whatever_facts_say_late(
    facts: tuple[Fact, ...], billed: list[tuple[int, float, float | None]]
) -> None:
    assert owners(*facts) == billed


def test_several_hand_overs_follow_each_other() -> None:
    back = OwnerChange(at(70), from_owner_id=2, to_owner_id=1)
    in_one_second = OwnerChange(at(70.5), from_owner_id=1, to_owner_id=3)
    assert owners(READY, ENDED, changes=(HANDED_OVER, back)) == [(1, 20, 50), (2, 50, 70), (1, 70, 100)]
    assert owners(READY, ENDED, changes=(HANDED_OVER, back, in_one_second)) == [(1, 20, 50), (2, 50, 70), (3, 70, 100)]


def free(*facts: Fact, **policy: Any) -> list[tuple[str, str, float, float | None]]:
    """Run, cause, start and end of what took a GPU and is free, in seconds since T0."""
    unbilled = metered(*facts, **policy).unbilled
    return [(piece.run_id, piece.kind, span[1], span[2]) for piece, span in zip(unbilled, _spans(unbilled), strict=True)]


@pytest.mark.parametrize(
    ("facts", "policy", "told"),
    [
        ((STARTED, READY, ENDED), {}, [("run", "starting", 5, 20)]),
        ((STARTED, READY, ENDED), {"bill_from": BillFrom.SCHEDULED}, []),
        ((STARTED, ENDED), {}, [("run", "failed", 5, 100)]),
        ((STARTED,), {}, [("run", "starting", 5, None)]),
        ((STARTED, known("seen", 30)), {"holds_gpu": False}, [("run", "failed", 5, 30)]),
        ((READY, ENDED), {}, []),
        ((ENDED,), {}, []),
        # What is billed as another run's is not free at the same time.
        ((READY, ENDED, known("started", 60, run_id="b"), known("ready", 130, run_id="b")), {}, [("b", "starting", 100, 130)]),
        # Nor is it free twice.
        ((STARTED, known("started", 30, run_id="b"), known("ended", 50, run_id="b"), ENDED), {}, [("run", "failed", 5, 100)]),
    ],
)
def test_time_that_took_a_gpu_and_is_free(
    facts: tuple[Fact, ...], policy: dict[str, Any], told: list[tuple[str, str, float, float | None]]
) -> None:
    assert free(*facts, **policy) == told


def test_tags_change_within_a_run_by_the_second() -> None:
    """Case 17: whatever a fact says that was noted late."""
    late = known("ended", 100, tag="autumn")
    changes = (TagChange(at(40.5), "", "spring"), TagChange(at(60), "spring", "autumn"))
    usage = meter((STARTED, READY, late), holds_gpu=True, bill_from=BillFrom.READY, tag_changes=changes)
    assert [(piece.tag, piece.starts_at, piece.ends_at) for piece in usage.usage] == [
        ("", at(20), at(40)),
        ("spring", at(40), at(60)),
        ("autumn", at(60), at(100)),
    ]
    assert [(piece.tag, piece.starts_at) for piece in usage.unbilled] == [("", at(5))]


def test_a_run_keeps_its_share() -> None:
    usage = metered(known("started", 5, quantity_milli=250), known("ready", 20, quantity_milli=1000)).usage
    assert [piece.quantity_milli for piece in usage] == [250]
