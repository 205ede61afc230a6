"""PostgreSQL writes the FOCUS rows that Python says the books have."""

import csv
import io
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from billing.accounts import calendar_of
from billing.exports.formats import Basis, Detail, Format
from billing.exports.selection import Selection
from billing.focus.columns import NAMES, Version
from billing.focus.lint import lint
from billing.focus.rows import Issuer, focus_row
from billing.windows import Window
from tests.billing.exports.book_lines import book_line
from tests.billing.exports.conftest import Books
from tests.billing.exports.readers import written

pytestmark = pytest.mark.django_db(transaction=True)
VERSIONS = {Format.FOCUS_1_2: Version.V1_2, Format.FOCUS_1_4: Version.V1_4}
WINDOW = Window(date(2026, 3, 1), date(2026, 4, 30))
ISSUER = Issuer("portal.localhost", "AIGC Portal")


def selection(books: Books, **fields: object) -> Selection:
    whole = Selection(books.tenant.pk, WINDOW, calendar_of(books.tenant), books.now, detail=Detail.LEDGER)
    return replace(whole, **fields)


def read(file: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(file.decode(), newline="")))


@pytest.mark.parametrize("format_", VERSIONS)
def test_rows_are_those_of_the_books(books: Books, format_: Format) -> None:
    file, tally = written(selection(books), format_)
    header, *rows = read(file)
    charges = books.lines()
    assert header == list(NAMES[VERSIONS[format_]])
    assert [tuple(row) for row in rows] == [focus_row(book_line(each), ISSUER, VERSIONS[format_]) for each in charges]
    assert {(each.category, each.kind, each.is_correction) for each in charges} >= {
        ("gpu", "original", False),
        ("gpu", "reversal", False),
        ("gpu", "reversal", True),
        ("gpu", "replacement", True),
        ("storage", "original", False),
        ("credit", "original", False),
        ("adjustment", "original", False),
        ("tax", "original", False),
    }
    assert tally.rows == len(charges)


@pytest.mark.parametrize("format_", VERSIONS)
def test_null_is_the_empty_cell_and_lines_end_as_rfc_4180_says(books: Books, format_: Format) -> None:
    file, _tally = written(selection(books), format_)
    assert b',"",' not in file
    assert file.replace(b",\n", b"").count(b"\n") == file.count(b"\r\n") == 1 + len(books.lines())


@pytest.mark.parametrize("format_", VERSIONS)
@pytest.mark.parametrize("basis", Basis)
@pytest.mark.parametrize("detail", Detail)
def test_the_linter_passes_it(books: Books, format_: Format, basis: Basis, detail: Detail) -> None:
    version = VERSIONS[format_]
    header, *rows = read(written(selection(books, basis=basis, detail=detail), format_)[0])
    payable: dict[str, Decimal] = {}
    for each in books.lines():
        payable[each.period.invoice_number] = payable.get(each.period.invoice_number, Decimal(0)) + each.amount
    assert list(lint(header, rows, version, payable=payable)) == []


def test_the_last_word_of_each_month_comes_to_the_same(books: Books) -> None:
    """What was taken back within a month is left out; what corrects a closed month stays."""
    ledger, all_of_it = written(selection(books), Format.FOCUS_1_4)
    net, tally = written(selection(books, detail=Detail.NET), Format.FOCUS_1_4)
    before, after = (list(csv.DictReader(io.StringIO(each.decode(), newline=""))) for each in (ledger, net))
    taken_back = [row for row in before if row["x_Kind"] == "reversal" and not row["ChargeClass"]]
    left_out = {row["x_ChargeKey"] for row in taken_back} | {row["x_CorrectionOf"] for row in taken_back}
    assert len(left_out) == 6
    assert after == [row for row in before if row["x_ChargeKey"] not in left_out]
    assert [row["x_Kind"] for row in after if row["ChargeClass"]] == ["reversal", "replacement"]
    assert tally.totals == all_of_it.totals
    for name, sums in (("BilledCost", "net"), ("ListCost", "list")):
        assert sum(Decimal(row[name]) for row in after) == getattr(tally.totals["USD"], sums)
