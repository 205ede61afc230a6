"""The laws are sharp: wherever one line of the pure modules is wrong, one of them fails."""

import random
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.billing import laws
from tests.billing.laws import EDGES, SECONDS, VOLUME_SIZES, ZONES
from tests.billing.library import mutated, present

SECONDS_LAW, ORDER_LAW, CLOSING_LAW, STORAGE_LAW = "seconds", "order", "closing", "storage"

MUTANTS = {
    "no cut at midnight": ("rating", "cuts = {low, *calendar.midnights(low, end)}", "cuts = {low}", SECONDS_LAW),
    "no cut at full hours": ("rating", "cuts.add(hour)", "pass", SECONDS_LAW),
    "no cut where prices change": ("rating", "cuts |= prices.changes(usage, currency, low, end)", "pass", SECONDS_LAW),
    "the share is not counted": ("rating", "nano * quantity_milli * seconds, 3_600_000", "nano * seconds, 3_600", SECONDS_LAW),
    "owners share a line": ("rating", "words += [usage.tenant_id, usage.owner_id]", "words += [usage.tenant_id]", SECONDS_LAW),
    "tags share a line": ("rating", "if usage.tag:", "if False:", SECONDS_LAW),
    "runs share a line": ("rating", "words = [subject_id, usage.run_id,", "words = [subject_id, '',", SECONDS_LAW),
    "the day is that of the end": ("rating", "calendar.day_of(cell.starts_at)", "calendar.day_of(cell.ends_at)", SECONDS_LAW),
    "days are those of UTC": ("calendars", "local = at.astimezone(era.zone).date()", "local = at.date()", SECONDS_LAW),
    "midnights are those of UTC": ("calendars", "day.day, tzinfo=self.zone)", "day.day, tzinfo=UTC)", SECONDS_LAW),
    "ties are rounded up": ("money", "(2 * rest == by and quotient % 2 == 1)", "2 * rest == by", SECONDS_LAW),
    "amounts are cut off": ("money", "(2 * rest > by or (2", "(False or (2", SECONDS_LAW),
    "a price holds a second too long": ("pricebook", "at < self.ends_at)", "at <= self.ends_at)", SECONDS_LAW),
    "the price for all comes first": ("pricebook", "return self.tenant_id is None,", "return bool(self.tenant_id),", SECONDS_LAW),
    "another tenant's price counts": ("pricebook", "and price.tenant_id in (None, usage.tenant_id)", "and True", SECONDS_LAW),
    "the list price is what is asked": ("pricebook", "if price.tenant_id is None), in", "if False), in", SECONDS_LAW),
    "billed from when the GPU is taken": ("metering", "BillFrom.READY: ready,", "BillFrom.READY: started,", SECONDS_LAW),
    "a conclusion counts before the cluster": ("metering", "enumerate(Source)}", "enumerate(reversed(Source))}", SECONDS_LAW),
    "runs may overlap": ("metering", "            run.ends_at = following.starts_at\n", "            pass\n", SECONDS_LAW),
    "the old owner pays on": ("metering", "return changes[-1].after if changes else told", "return told", SECONDS_LAW),
    "a change counts a second late": ("metering", "if each.at > at), None)", "if each.at >= at), None)", SECONDS_LAW),
    "nothing is taken back": ("ledger", "rows.append(_reversal(standing, revision, posting, now))", "pass", ORDER_LAW),
    "revisions stand still": ("ledger", "line.revision + 1 if line else 0", "line.revision if line else 0", ORDER_LAW),
    "what is gone stays": ("ledger", "return want is None and standing is None", "return want is None", ORDER_LAW),
    "a reversal is no correction": (
        "ledger",
        "=is_correction,\n        kind=Charge.Kind.REV",
        "=False,\n        kind=Charge.Kind.REV",
        CLOSING_LAW,
    ),
    "a reversal keeps the list amount": ("ledger", "list_amount=-standing", "list_amount=standing", ORDER_LAW),
    "a volume is never gone": ("storage", "_best(known, VolumeKind.GONE)", "None", STORAGE_LAW),
    "a volume keeps its size": ("storage", "and _what(fact) != _what(cuts[-1][1])", "and False", STORAGE_LAW),
    "storage is cut at hours": ("rating", "hourly = usage.kind != UsageKind.STORAGE", "hourly = True", STORAGE_LAW),
}  # fmt: skip
"""What is wrong → module, line, wrong line, and the law that tells."""

SEARCH = settings(
    max_examples=1500,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


def search(law: str, pure: SimpleNamespace) -> None:
    """Look for a history that breaks the law."""
    chance = st.randoms(use_true_random=False)
    base = st.builds(lambda edge, off: edge + timedelta(seconds=off), st.sampled_from(EDGES), SECONDS)
    asked: dict[str, Callable[[], None]] = {
        SECONDS_LAW: SEARCH(given(laws.histories())(lambda history: laws.law_of_seconds(pure, history))),
        ORDER_LAW: SEARCH(given(laws.histories(), chance)(lambda history, chance: laws.law_of_order(pure, history, chance))),
        CLOSING_LAW: SEARCH(given(laws.histories(), chance)(lambda history, chance: laws.law_of_closing(pure, history, chance))),
        STORAGE_LAW: SEARCH(
            given(st.sampled_from(ZONES), base, st.integers(1, 9000), VOLUME_SIZES)(
                lambda zone, base, length, sizes: laws.law_of_storage(pure, zone, base, length, sizes)
            )
        ),
    }
    asked[law]()


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_line_breaks_a_law(name: str) -> None:
    module, line, wrong, law = MUTANTS[name]
    random.seed(0)
    with mutated(module, line, wrong) as pure, pytest.raises(Exception):  # noqa: B017, PT011 - wrong code fails in its own way
        search(law, pure)


def test_modules_are_as_before_afterwards() -> None:
    before = present()
    with mutated("money", "2 * rest > by", "2 * rest >= by") as pure:
        assert pure.money.divide_half_even(1, 2) == 1
        assert pure.rating.amount_of.__wrapped__.__globals__["divide_half_even"] is pure.money.divide_half_even
    after = present()
    assert vars(after) == vars(before)
    assert after.money.divide_half_even(1, 2) == 0
