"""The month as a CSV file for people: opens in spreadsheets, and no name in it can act as a formula."""

from collections.abc import Iterator
from datetime import UTC

from aigc_portal.spreadsheets import BYTE_ORDER_MARK, csv_line, harmless
from billing.models import Charge
from billing.periods import Month
from billing.summaries import CostRow, MonthSummary, OtherRow
from tenants.audit.operations import record
from tenants.models import Membership

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


def note_export(membership: Membership, month: Month) -> None:
    """Record that somebody takes the month as a file."""
    record("costs.exported", actor=membership.user, tenant=membership.tenant, details={"month": str(month)})


def month_csv(summary: MonthSummary) -> Iterator[str]:
    """Yield the file line by line, as RFC 4180 has it; amounts with every digit of the books."""
    yield BYTE_ORDER_MARK + csv_line(HEADER)
    as_of = summary.as_of.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for row in summary.rows:
        yield csv_line((str(summary.month), *_cells(row), as_of, Charge.Category.GPU))
    for other in summary.others:
        yield csv_line((str(summary.month), *_cells_of_other(other), as_of, other.category))


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
