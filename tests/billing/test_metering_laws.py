"""What holds for every history of an instance."""

import random
from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from billing.metering import BillFrom, Fact, meter
from tests.billing.facts import fact, moment

T0 = moment("2026-03-01T00:00:00")
MOMENTS = st.one_of(
    st.integers(0, 40_000),
    st.builds(lambda hour, off: hour * 3600 + off, st.integers(0, 10), st.integers(-2, 2).filter(lambda off: off)),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Fact]:
    """Any facts at all: several runs, clashing sources, ends before starts, changes of owner."""
    return [
        fact(
            draw(st.sampled_from(["started", "ready", "seen", "ended"])),
            T0 + timedelta(seconds=max(0, draw(MOMENTS)), microseconds=draw(st.sampled_from([0, 1, 999_999]))),
            run_id=draw(st.sampled_from(["a", "b", "c"])),
            source=draw(st.sampled_from(["cluster", "reconcile"])),
            owner_id=draw(st.sampled_from([1, 1, 1, 2])),
            observed_at=T0 + timedelta(days=1),
        )
        for _ in range(draw(st.integers(0, 14)))
    ]


POLICIES = {"holds_gpu": st.booleans(), "bill_from": st.sampled_from(BillFrom)}


@given(histories(), st.randoms(use_true_random=False), st.fixed_dictionaries(POLICIES))
def test_order_and_repeats_change_nothing(facts: list[Fact], chance: random.Random, policy: dict[str, object]) -> None:
    repeated = facts + chance.sample(facts, k=len(facts) // 2)
    chance.shuffle(repeated)
    assert meter(repeated, **policy) == meter(facts, **policy)


@given(histories(), st.fixed_dictionaries(POLICIES))
def test_no_second_is_billed_twice(facts: list[Fact], policy: dict[str, object]) -> None:
    usage = meter(facts, **policy).usage
    for one, following in pairwise(usage):
        assert one.ends_at is not None
        assert one.ends_at <= following.starts_at
    for one in usage:
        assert one.starts_at.microsecond == 0
        assert one.ends_at is None or (one.starts_at < one.ends_at and one.ends_at.microsecond == 0)


@given(histories(), st.sampled_from(BillFrom))
def test_nothing_lasts_once_the_gpu_is_let_go(facts: list[Fact], bill_from: BillFrom) -> None:
    assert all(usage.ends_at is not None for usage in meter(facts, holds_gpu=False, bill_from=bill_from).usage)
