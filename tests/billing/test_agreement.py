"""Charges, sums, pages, files and the API agree to the last digit for the same question, before and after whatever happens."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection
from django.db.models import Q

from billing import sums
from billing.auditing import verify
from billing.models import BillingPeriod, Charge, Price
from billing.operations import close_period, set_price, set_storage_price, set_terms, settle_due
from billing.periods import Month
from engines.models import Instance, RunFact, VolumeFact
from engines.volume_facts import note_volume
from tenants.models import Membership
from tests.billing import readers
from tests.billing.facts import BEGINNING, moment, record
from tests.billing.readers import Question

START = moment("2026-10-24T20:00:00")
MONTH, FOLLOWING = Month(2026, 10), Month(2026, 11)
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey")]


@pytest.fixture
def poster(make_running: Callable[..., Instance], anna_in_acme: Membership) -> Instance:
    """Runs in Berlin over the night of 25 October 2026, which has 25 hours; ended on the 27th; its volume stays."""
    poster = make_running(name="poster")
    set_terms(tenant=poster.tenant, now=BEGINNING, time_zone="Europe/Berlin")
    set_storage_price(per_hour=Decimal("0.000137"), starts_at=BEGINNING)
    note_volume(poster.volume, VolumeFact.Kind.PROVISIONED, at=START)
    record(poster, "ready", START + timedelta(seconds=77), run_id="first")
    record(poster, "ended", START + timedelta(hours=52, seconds=5), run_id="first")
    return poster


FILTERS = ("", 'user:"alice"+charge_category:"gpu"', 'gpu_class!:"h100"+volume~:"o"')


def agreed(member: Membership, now: datetime) -> list[str]:
    """Assert that the books are right and all places say the same, whatever is asked for; return the months' costs."""
    assert verify() == []
    places = readers.READERS | readers.FILES
    for month in (MONTH, FOLLOWING):
        for wanted in FILTERS:
            readers.agreed(Question(member, month, now, wanted), places)
    return [str(readers.agreed(Question(member, month, now))[0]) for month in (MONTH, FOLLOWING)]


# 187,128 seconds of H100, and 50 GiB for the 75 hours until midnight in Berlin.
OCTOBER = "130.463750000"
NOW = moment("2026-10-28T12:00:00")


def test_a_night_of_25_hours(poster: Instance, anna_in_acme: Membership) -> None:
    settle_due(now=NOW)
    by_day = sums.by_day(Q(category="gpu"), MONTH.first_day, MONTH.last_day, by=("day",))
    seconds = {f"{each.key[0]:%d}": each.seconds for each in by_day}
    assert seconds == {"24": 7123, "25": 90_000, "26": 86_400, "27": 3605}
    assert sum(each.amount for each in by_day) == Decimal("129.950000000")
    assert agreed(anna_in_acme, NOW) == [OCTOBER, "0"]


def test_killed_in_the_middle(poster: Instance, anna_in_acme: Membership) -> None:
    test_database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    environment = os.environ | {
        "DATABASE_URL": urlunsplit(test_database),
        "DJANGO_SETTINGS_MODULE": "aigc_portal.settings",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    script = Path(__file__).with_name("settle_and_hang.py")
    with subprocess.Popen(
        [sys.executable, script, str(poster.pk), NOW.isoformat()], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "charges written\n"
            assert agreed(anna_in_acme, NOW) == ["0", "0"]
        finally:
            process.kill()
    assert agreed(anna_in_acme, NOW) == ["0", "0"]
    settle_due(now=NOW)
    assert agreed(anna_in_acme, NOW) == [OCTOBER, "0"]


def test_nobody_watched(poster: Instance, anna_in_acme: Membership) -> None:
    """The end was concluded from absence, and became known later."""
    record(poster, "ready", moment("2026-10-27T10:00"), run_id="second")
    record(poster, "seen", moment("2026-10-27T11:05"), run_id="second")
    settle_due(now=moment("2026-10-27T13:20"))
    record(poster, "ended", moment("2026-10-27T11:05"), run_id="second", source="reconcile")
    settle_due(now=moment("2026-10-27T13:40"))
    before = agreed(anna_in_acme, NOW)
    record(poster, "ended", moment("2026-10-27T11:41:12"), run_id="second")
    settle_due(now=NOW)
    after = agreed(anna_in_acme, NOW)
    gained = Decimal(after[0]) - Decimal(before[0])
    stored = sum(row.amount for row in Charge.objects.filter(category="storage", posted_at__gte=NOW))
    assert gained - stored == Decimal("1.508333334")  # 300 s became 2472 s


def test_a_storm_of_the_same_facts(poster: Instance, anna_in_acme: Membership) -> None:
    settle_due(now=NOW)
    before, count = agreed(anna_in_acme, NOW), Charge.objects.count()
    for _ in range(3):
        copies = [RunFact(**row | {"id": None}) for row in RunFact.objects.values()]
        RunFact.objects.bulk_create(copies * 5, ignore_conflicts=True)
        settle_due(now=NOW)
    assert (agreed(anna_in_acme, NOW), Charge.objects.count()) == (before, count)


def test_a_new_price_for_the_past(poster: Instance, anna_in_acme: Membership) -> None:
    settle_due(now=NOW)
    set_price(gpu_class=poster.gpu_class, per_hour=Decimal(3), starts_at=START + timedelta(hours=50))
    settle_due(now=NOW)
    # Two hours and five seconds at 0.50 more.
    assert Decimal(agreed(anna_in_acme, NOW)[0]) - Decimal(OCTOBER) == Decimal("1.000694445")
    assert Price.objects.filter(gpu_class=poster.gpu_class).count() == 2


def test_a_month_is_closed_and_corrected(poster: Instance, anna_in_acme: Membership) -> None:
    later = moment("2026-11-05T12:00:00")
    settle_due(now=later)
    before = agreed(anna_in_acme, later)
    period = close_period(period=BillingPeriod.objects.get(month=MONTH.first_day), now=later)
    rounding = period.amount - Decimal(before[0])
    after = agreed(anna_in_acme, later)
    assert after == [str(period.amount), before[1]]
    assert abs(rounding) < Decimal("0.005")
    set_price(gpu_class=poster.gpu_class, per_hour=Decimal(3), starts_at=START + timedelta(hours=50))
    settle_due(now=later)
    assert Decimal(agreed(anna_in_acme, later)[0]) - Decimal(after[0]) == Decimal("1.000694445")
    invoices = {each.key[0]: each.amount for each in sums.by_month(Q(), MONTH, FOLLOWING, by=("period__month",))}
    assert invoices[MONTH.first_day] == period.amount
    assert invoices[FOLLOWING.first_day] == Decimal(before[1]) + Decimal("1.000694445")
    assert {row.is_correction for row in Charge.objects.filter(kind="reversal")} == {True}
