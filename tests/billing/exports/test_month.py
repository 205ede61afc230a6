"""The file for people."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from aigc_portal.spreadsheets import harmless
from billing.exports.month import month_csv
from billing.money import Money
from billing.periods import Month
from billing.summaries import CostRow, MonthSummary

ZERO = Money.zero("USD")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("poster", "poster"),
        ("=HYPERLINK()", "'=HYPERLINK()"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@sum", "'@sum"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("\nx", "'\nx"),
        ("＝1", "'＝1"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_names_cannot_act_as_formulas(name: str, written: str) -> None:
    """Case 23."""
    assert harmless(name) == written


def test_file_is_quoted_as_rfc_4180_says() -> None:
    row = CostRow(
        slug="abc",
        name='say "hi",\n海报 🖼',
        user="alice",
        gpu_class="H100",
        charged=Money(Decimal("1.5"), "USD"),
        estimated=ZERO,
        charged_seconds=2160,
        prices={Money(Decimal("2.5"), "USD")},
    )
    as_of = datetime(2026, 3, 10, 12, 0, 0, 5, tzinfo=UTC)
    summary = MonthSummary(Month(2026, 3), as_of, [row], [], ZERO, ZERO, unpriced_seconds=0)
    header, line = month_csv(summary)
    assert header == (
        "\ufeffmonth,instance,instance_id,user,gpu_class,seconds,seconds_without_price,price_per_hour,currency,"
        "charged,estimated,amount,as_of,category\r\n"
    )
    assert line == (
        '2026-03,"say ""hi"",\n海报 🖼",abc,alice,H100,2160,0,2.500000000,USD,'
        "1.500000000,0.000000000,1.500000000,2026-03-10T12:00:00Z,gpu\r\n"
    )
