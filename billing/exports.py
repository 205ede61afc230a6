"""The month as a CSV file for people: opens in spreadsheets, and no name in it can act as a formula."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC

from billing.models import Charge
from billing.summaries import CostRow, MonthSummary, OtherRow

BYTE_ORDER_MARK = "\ufeff"
"""Without it Excel takes UTF-8 for the machine's own encoding."""

_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

HEADER = (
    "month",
    "instance",
    "instance_id",
    "user",
    "gpu_class",
    "seconds",
    "seconds_without_price",
    "price_per_hour",
    "currency",
    "charged",
    "estimated",
    "amount",
    "as_of",
    "category",
)


def harmless(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would take for a formula."""
    return f"'{text}" if text.startswith(_STARTS_A_FORMULA) else text


def month_csv(summary: MonthSummary) -> Iterator[str]:
    """Yield the file line by line, as RFC 4180 has it; amounts with every digit of the books."""
    yield BYTE_ORDER_MARK + _line(HEADER)
    as_of = summary.as_of.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for row in summary.rows:
        yield _line((str(summary.month), *_cells(row), as_of, Charge.Category.GPU))
    for other in summary.others:
        yield _line((str(summary.month), *_cells_of_other(other), as_of, other.category))


def _cells(row: CostRow) -> tuple[str, ...]:
    return (
        harmless(row.name),
        row.slug,
        harmless(row.user),
        harmless(row.gpu_class),
        str(row.seconds),
        str(row.unpriced_seconds),
        " ".join(price.plain for price in row.sorted_prices),
        row.amount.currency,
        row.charged.plain,
        row.estimated.plain,
        row.amount.plain,
    )


def _cells_of_other(row: OtherRow) -> tuple[str, ...]:
    return (
        harmless(row.name),
        row.slug,
        harmless(row.user),
        "",
        str(row.seconds),
        "0",
        "",
        row.amount.currency,
        row.charged.plain,
        row.estimated.plain,
        row.amount.plain,
    )


def _line(values: tuple[str, ...]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue()
