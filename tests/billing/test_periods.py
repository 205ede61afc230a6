"""Months and days of the books."""

from datetime import datetime, timedelta, timezone

import pytest
from pytest_django import Settings

from billing.checks import check_policy
from billing.periods import Month, day_start, months_back
from tests.billing.facts import moment


def test_months_follow_each_other() -> None:
    december = Month(2025, 12)
    assert (str(december), str(december.following), str(Month(2026, 1).preceding)) == ("2025-12", "2026-01", "2025-12")
    assert (december.starts_at, december.ends_at) == (moment("2025-12-01"), moment("2026-01-01"))
    assert months_back(Month(2026, 2), december) == [Month(2026, 2), Month(2026, 1), december]
    assert months_back(december, Month(2026, 2)) == [december]


def test_moments_belong_to_the_utc_month_and_day() -> None:
    in_shanghai = datetime(2026, 4, 1, 7, 59, tzinfo=timezone(timedelta(hours=8)))
    assert Month.of(in_shanghai) == Month(2026, 3)
    assert day_start(in_shanghai) == moment("2026-03-31")


@pytest.mark.parametrize("text", ["", "2026", "2026-0", "2026-00", "2026-13", "0999-01", " 2026-01", "2026-01\n"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a month"):
        Month.parse(text)


@pytest.mark.parametrize(("policy", "errors"), [("ready", []), ("started", []), ("seen", ["billing.E001"])])
def test_unknown_policy_is_named(settings: Settings, policy: str, errors: list[str]) -> None:
    settings.BILL_FROM = policy
    assert [message.id for message in check_policy()] == errors


@pytest.mark.parametrize(("code", "errors"), [("EUR", []), ("euro", ["billing.E002"]), ("", ["billing.E002"])])
def test_what_is_no_currency_is_named(settings: Settings, code: str, errors: list[str]) -> None:
    settings.DEFAULT_CURRENCY = code
    assert [message.id for message in check_policy()] == errors
