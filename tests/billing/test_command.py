"""The books from the command line."""

import csv
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
import time_machine
from django.core.management import CommandError, call_command

from billing.focus.columns import NAMES, Version
from billing.models import BillingPeriod, Charge, DayRollup
from engines.models import Instance
from tests.billing.facts import moment, record
from tests.billing.focus.examples import cells, month

START = moment("2026-03-10T10:00:00")


@pytest.fixture(autouse=True)
def _at_now() -> object:
    with time_machine.travel(moment("2026-04-05"), tick=False):
        yield


@pytest.fixture
def used(instance: Instance) -> Instance:
    record(instance, "ready", START)
    record(instance, "ended", START + timedelta(seconds=2643))
    return instance


def billing(*words: str) -> list[str]:
    out = StringIO()
    call_command("billing", *words, stdout=out)
    return out.getvalue().splitlines()


def test_settle_verify_close_explain(used: Instance) -> None:
    assert billing("settle") == ["1 rows posted."]
    assert billing("settle") == ["0 rows posted."]
    assert billing("verify") == ["The books are right."]
    [closed] = billing("close", "--tenant", "acme", "--month", "2026-03")
    period = BillingPeriod.objects.get()
    assert closed == f"Acme Studio 2026-03: USD 1.84, 2 charges, {period.digest}"
    assert billing("close") == []
    charge = Charge.objects.get(category="gpu")
    for line in (str(charge.pk), str(charge.line_key)):
        assert billing("explain", line) == [
            f"{charge.pk}: GPU time, poster, 2026-03-10 10:00:00 to 2026-03-10 10:44:03 UTC",
            "2.50 × 1 × 2643 ÷ 3600 = 1.835416667",
            "posted 2026-04-05 00:00:00 into 2026-03",
            "revision 0 original: 2643 s, USD 1.835416667",
            "usage GPU time from 2026-03-10 10:00:00 to 2026-03-10 10:44:03",
            "fact ready at 2026-03-10 10:00:00, says cluster",
            "fact ended at 2026-03-10 10:44:03, says cluster",
        ]
    rounding = Charge.objects.get(category="adjustment")
    assert billing("explain", str(rounding.pk))[1] == "USD 0.004583333 = Rounding"


def test_wrong_books_end_with_an_error(used: Instance) -> None:
    billing("settle")
    DayRollup.objects.update(amount=0)
    with pytest.raises(CommandError, match="2 things in the books"):
        billing("verify")
    with pytest.raises(CommandError, match="1 months were not closed"):
        billing("close")
    assert billing("rebuild") == ["2 sums made anew.", "0 rows posted."]
    assert billing("verify", "--tenant", "acme", "--month", "2026-03") == ["The books are right."]


@pytest.mark.parametrize(
    "words", [("explain", "7"), ("explain", "nothing"), ("verify", "--tenant", "nobody"), ("close", "--month", "x")]
)
def test_what_is_not_there(db: None, words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        billing(*words)


def test_a_focus_file_is_judged(tmp_path: Path) -> None:
    file = tmp_path / "costs.csv"
    rows = cells(month(), Version.V1_4)

    def judged() -> list[str]:
        with file.open("w", encoding="utf-8", newline="") as opened:
            csv.writer(opened).writerows([NAMES[Version.V1_4], *rows])
        return billing("lint-focus", str(file), "--focus", "1.4")

    assert judged() == ["The file is right."]
    rows[0][0] = ""
    with pytest.raises(CommandError, match=r"1 things are wrong\."):
        judged()
