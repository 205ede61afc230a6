"""Months of the books."""

from datetime import date

import pytest
from pytest_django import Settings

from billing.checks import check_policy
from billing.periods import Month, months_back


def test_months_follow_each_other() -> None:
    december = Month(2025, 12)
    assert (str(december), str(december.following), str(Month(2026, 1).preceding)) == ("2025-12", "2026-01", "2025-12")
    assert (december.first_day, december.last_day) == (date(2025, 12, 1), date(2025, 12, 31))
    assert months_back(Month(2026, 2), december) == [Month(2026, 2), Month(2026, 1), december]
    assert months_back(december, Month(2026, 2)) == [december]


@pytest.mark.parametrize("text", ["", "2026", "2026-0", "2026-00", "2026-13", "0999-01", " 2026-01", "2026-01\n"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a month"):
        Month.parse(text)


@pytest.mark.parametrize(("policy", "errors"), [("ready", []), ("started", []), ("scheduled", []), ("seen", ["billing.E001"])])
def test_unknown_policy_is_named(settings: Settings, policy: str, errors: list[str]) -> None:
    settings.BILL_FROM = policy
    assert [message.id for message in check_policy()] == errors


@pytest.mark.parametrize(("code", "errors"), [("EUR", []), ("euro", ["billing.E002"]), ("", ["billing.E002"])])
def test_what_is_no_currency_is_named(settings: Settings, code: str, errors: list[str]) -> None:
    settings.DEFAULT_CURRENCY = code
    assert [message.id for message in check_policy()] == errors
