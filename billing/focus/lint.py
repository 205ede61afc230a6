"""Whether a FOCUS file is one: ours is judged by more than the public validators look at. Pure, streaming.

A validator in public use was seen to pass files in which every list cost was wrong, and to look at allowed values for the table
as a whole; so this is what an export has to pass, and others are a second opinion. Memory grows with one key per row, and
nothing else.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal

from billing.focus.cells import Broken, Rule, cell, number
from billing.focus.columns import COLUMNS, CUSTOM, NAMES, Version
from billing.focus.row_rules import RULES, Row

_EXACT = Context(prec=60)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. Rows are counted from 1; 0 is the file as a whole."""

    row: int
    rule: Rule
    column: str
    about: str


def lint(
    header: Sequence[str], rows: Iterable[Sequence[str]], version: Version, *, payable: Mapping[str, Decimal] | None = None
) -> Iterator[Finding]:
    """Yield what is wrong with the file, in the order of its rows.

    `payable`: what the invoices come to, by number, if the file is to have all of their rows.
    """
    yield from (Finding(0, *broken) for broken in _header(header, version))
    if list(header) != list(NAMES[version]):
        return
    memory = _Memory()
    for count, cells in enumerate(rows, start=1):
        if len(cells) != len(header):
            yield Finding(count, Rule.CELLS, "", f"has {len(cells)} cells instead of {len(header)}")
            continue
        row = dict(zip(header, cells, strict=True))
        yield from (Finding(count, *broken) for broken in _row(row, version))
        yield from (Finding(count, *broken) for broken in memory.rules(row))
    yield from (Finding(0, *broken) for broken in memory.sums(payable or {}))


def _header(header: Sequence[str], version: Version) -> Iterator[Broken]:
    expected = NAMES[version]
    for name in expected:
        if name not in header:
            yield Rule.COLUMNS, name, "is missing"
    for name in header:
        if name not in expected:
            yield Rule.COLUMNS, name, f"is no column of ours in FOCUS {version}"
    if len(set(header)) < len(header):
        yield Rule.COLUMNS, "", "some column is there twice"
    custom = [name.startswith(CUSTOM) for name in header]
    if custom != sorted(custom):
        yield Rule.COLUMNS, "", f"columns of our own, which begin with {CUSTOM}, come last"
    elif sorted(header) == sorted(expected) and list(header) != list(expected):
        yield Rule.COLUMNS, "", "columns are not in their order"


def _row(row: Row, version: Version) -> Iterator[Broken]:
    for column in COLUMNS[version]:
        yield from cell(column, row[column.name])
    for rule in RULES:
        yield from rule(row)


@dataclass(slots=True)
class _Memory:
    """What has to be known of the rows before."""

    keys: set[str] = field(default_factory=set)
    first: dict[tuple[str, str], str] = field(default_factory=dict)
    billed: dict[str, Decimal] = field(default_factory=dict)

    def rules(self, row: Row) -> Iterator[Broken]:
        """Judge the row by those before it, and remember it."""
        key = row["x_ChargeKey"]
        if key in self.keys:
            yield Rule.DUPLICATE, "x_ChargeKey", f"was there before: {key}"
        self.keys.add(key)
        yield from self._same(row, "ServiceName", "ServiceCategory", Rule.SERVICE)
        yield from self._same(row, "SkuPriceId", "SkuId", Rule.SKU_PRICE)
        yield from self._same(row, "SkuPriceId", "SkuPriceDetails", Rule.SKU_PRICE)
        yield from self._same(row, "InvoiceId", "BillingCurrency", Rule.INVOICE_CURRENCY)
        billed = number(row["BilledCost"]) or Decimal(0)
        self.billed[row["InvoiceId"]] = _EXACT.add(self.billed.get(row["InvoiceId"], Decimal(0)), billed)

    def _same(self, row: Row, by: str, name: str, rule: Rule) -> Iterator[Broken]:
        """Within one value of `by`, all rows have the same in `name`."""
        if not row[by]:
            return
        expected = self.first.setdefault((f"{by} {name}", row[by]), row[name])
        if row[name] != expected:
            yield rule, name, f"is {row[name]} for {row[by]}, and was {expected} before"

    def sums(self, payable: Mapping[str, Decimal]) -> Iterator[Broken]:
        """Compare what is billed with what is to be paid."""
        for invoice, amount in payable.items():
            billed = self.billed.get(invoice, Decimal(0))
            if billed != amount:
                yield Rule.INVOICE_SUM, "BilledCost", f"comes to {billed} for invoice {invoice}, of which {amount} is payable"
