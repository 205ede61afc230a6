"""The laws of the books hold."""

import random
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.billing import laws
from tests.billing.laws import EDGES, SECONDS, VOLUME_SIZES, ZONES, History
from tests.billing.library import present

PURE = present()
CHANCE = st.randoms(use_true_random=False)
NEAR_AN_EDGE = st.builds(lambda edge, off: edge + timedelta(seconds=off), st.sampled_from(EDGES), SECONDS)


@settings(max_examples=60)
@given(laws.histories())
def test_every_second_is_charged_once_at_its_price(history: History) -> None:
    laws.law_of_seconds(PURE, history)


@settings(max_examples=60)
@given(laws.histories(), CHANCE)
def test_order_repeats_and_moments_of_settling_change_nothing(history: History, chance: random.Random) -> None:
    laws.law_of_order(PURE, history, chance)


@settings(max_examples=60)
@given(laws.histories(), CHANCE)
def test_what_is_closed_stays_as_it_is(history: History, chance: random.Random) -> None:
    laws.law_of_closing(PURE, history, chance)


@settings(max_examples=60)
@given(st.sampled_from(ZONES), NEAR_AN_EDGE, st.integers(1, 9000), VOLUME_SIZES)
def test_storage_is_charged_by_size_and_day(zone: str, base: datetime, length: int, sizes: list[tuple[int, int]]) -> None:
    laws.law_of_storage(PURE, zone, base, length, sizes)
