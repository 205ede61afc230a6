"""Every format tells the same lines, to the last digit, and each keeps its own promises."""

import io
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import openpyxl
import pytest

from billing.exports import xlsx
from billing.exports.columns import COLUMNS, NAMES, Kind
from billing.exports.formats import Basis, Detail, Format
from tests.billing.exports.conftest import TYPED, Books
from tests.billing.exports.readers import rows_of, sums_of_files, written
from tests.billing.exports.test_focus_source import WINDOW, selection

pytestmark = pytest.mark.django_db(transaction=True)
OWN = [each for each in Format if not each.focus]


@pytest.mark.parametrize("basis", Basis)
@pytest.mark.parametrize("detail", Detail)
def test_all_come_to_what_the_charges_come_to(books: Books, basis: Basis, detail: Detail) -> None:
    lines = books.lines()
    expected = {"USD": (sum(each.amount for each in lines), sum(each.list_amount for each in lines))}
    found = sums_of_files(books.tenant, WINDOW, books.now, basis=basis, detail=detail)
    assert found == dict.fromkeys(Format, expected)
    assert expected["USD"][0] != expected["USD"][1]


def test_a_filter_is_that_of_the_api(books: Books) -> None:
    lines = [each for each in books.lines() if each.category == "storage"]
    expected = {"USD": (sum(each.amount for each in lines), sum(each.list_amount for each in lines))}
    assert sums_of_files(books.tenant, WINDOW, books.now, filter_='charge_category:"storage"') == dict.fromkeys(Format, expected)


@pytest.mark.parametrize("format_", OWN)
def test_rows_are_the_charges(books: Books, format_: Format) -> None:
    file, tally = written(selection(books), format_)
    rows = rows_of(format_, file)
    charges = books.lines()
    assert [int(str(row["id"])) for row in rows] == [each.pk for each in charges]
    assert tally.rows == len(charges)
    told = [(row["kind"], row["category"], row["user"] or None, row["instance"] or None, row["volume"] or None) for row in rows]
    assert told == [
        (
            each.kind,
            each.category,
            each.owner.username if each.owner else None,
            each.instance.slug if each.instance else None,
            each.volume.slug if each.volume else None,
        )
        for each in charges
    ]


def first(format_: Format, books: Books, category: str) -> dict[str, object]:
    return next(row for row in rows_of(format_, written(selection(books), format_)[0]) if row["category"] == category)


def test_a_cell_of_csv_is_what_stands_in_the_books(books: Books) -> None:
    row = first(Format.CSV, books, "gpu")
    charge = next(each for each in books.lines() if each.category == "gpu")
    assert row == {
        "id": str(charge.pk),
        "line": str(charge.line_key),
        "revision": "0",
        "kind": "original",
        "category": "gpu",
        "invoice": "acme-2026-03",
        "correction": "false",
        "day": "2026-03-31",
        "starts_at": "2026-03-31T14:30:00Z",
        "ends_at": "2026-03-31T15:00:00Z",
        "starts_at_local": "2026-03-31 22:30:00",
        "time_zone": "Asia/Shanghai",
        "seconds": "1800",
        "quantity": "0.250",
        "unit": "GPU",
        "user": "alice",
        "instance": charge.instance.slug,
        "volume": "",
        "name": "shared",
        "engine": charge.instance.engine_version.engine.slug,
        "gpu_class": "h100",
        "storage_class": "",
        "project": "",
        "currency": "USD",
        "price_per_hour": "2.100000000",
        "list_price_per_hour": "2.800000000",
        "amount": "0.262500000",
        "list_amount": "0.350000000",
        "reason": "",
        "posted_at": f"{charge.posted_at:%Y-%m-%dT%H:%M:%SZ}",
    }


@pytest.mark.parametrize(
    ("format_", "name", "reason"),
    [
        (Format.CSV, TYPED[:60], "=1+1, outage"),
        (Format.SHEET_CSV, "'" + TYPED[:60], "'=1+1, outage"),
        (Format.JSON_LINES, TYPED[:60], "=1+1, outage"),
        (Format.XLSX, TYPED[:60], "=1+1, outage"),
        (Format.PARQUET, TYPED[:60], "=1+1, outage"),
    ],
)
def test_what_somebody_typed_comes_through_and_is_no_formula(books: Books, format_: Format, name: str, reason: str) -> None:
    rows = rows_of(format_, written(selection(books), format_)[0])
    assert {row["name"] for row in rows if row["project"]} == {name}
    assert [row["reason"] for row in rows if row["category"] == "credit"] == [reason]


def test_numbers_below_nothing_stay_numbers_in_spreadsheets(books: Books) -> None:
    assert first(Format.SHEET_CSV, books, "credit")["amount"] == "-0.250000000"


def test_a_workbook_has_no_formula_and_adds_up(books: Books) -> None:
    book = openpyxl.load_workbook(io.BytesIO(written(selection(books), Format.XLSX)[0]))
    assert book.sheetnames == ["Summary", "Lines"]
    kinds = {cell.data_type for sheet in book for row in sheet for cell in row}
    assert "f" not in kinds
    lines = book["Lines"]
    place = [cell.value for cell in lines[1]].index("amount") + 1
    amounts = [lines.cell(row, place).value for row in range(2, lines.max_row + 1)]
    assert all(isinstance(each, (int, float)) for each in amounts)
    exact = sum(each.amount for each in books.lines())
    assert round(Decimal(sum(amounts)), 9) == exact
    summary = [[cell.value for cell in row] for row in book["Summary"]]
    assert summary[1] == ["USD", float(exact), str(exact), *summary[1][3:]]
    titles = [row[0] for row in summary if row[1] == "Amount"]
    assert titles == ["Currency", "Category", "GPU class", "User", "Project"]
    by_category = summary[summary.index(next(row for row in summary if row[0] == "Category")) + 1 :]
    storage = next(row for row in by_category if row[0] == "storage")
    assert Decimal(storage[2]) == sum(each.amount for each in books.lines() if each.category == "storage")


def test_a_workbook_goes_on_on_another_sheet(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """With pieces of one row, and sheets of ten."""
    monkeypatch.setattr("billing.exports.texts.PIECE_BYTES", 1)
    monkeypatch.setattr(xlsx, "SHEET_ROWS", 10)
    file, _tally = written(selection(books), Format.XLSX)
    rows = rows_of(Format.XLSX, file)
    assert openpyxl.load_workbook(io.BytesIO(file)).sheetnames == ["Summary", "Lines", "Lines 2", "Lines 3", "Lines 4"]
    assert [row["id"] for row in rows] == [each.pk for each in books.lines()]


def test_types_of_parquet_and_json_are_what_the_columns_are(books: Books) -> None:
    row = first(Format.PARQUET, books, "gpu")
    types = {
        Kind.WORD: str,
        Kind.TYPED: str,
        Kind.MOMENT: datetime,
        Kind.DAY: date,
        Kind.WHOLE: int,
        Kind.FLAG: bool,
        Kind.AMOUNT: Decimal,
    }
    assert {column.name: type(row[column.name]) for column in COLUMNS if row[column.name] is not None} == {
        column.name: types[column.kind] for column in COLUMNS if row[column.name] is not None
    }
    assert row["starts_at"] == datetime(2026, 3, 31, 14, 30, tzinfo=UTC)
    told = first(Format.JSON_LINES, books, "gpu")
    assert list(told) == list(NAMES)
    assert (told["amount"], told["seconds"], told["correction"], told["reason"]) == ("0.262500000", 1800, False, None)


@pytest.mark.parametrize("format_", Format)
def test_nothing_is_a_file_too(books: Books, format_: Format) -> None:
    file, tally = written(
        replace(selection(books), window=replace(WINDOW, first=date(2025, 1, 1), last=date(2025, 1, 31))), format_
    )
    assert rows_of(format_, file) == []
    assert (tally.rows, tally.totals) == (0, {})


@pytest.mark.parametrize("format_", Format)
def test_what_was_posted_later_is_not_in_it(books: Books, format_: Format) -> None:
    charges = books.lines()
    moments = sorted({each.posted_at for each in charges})
    before = moments[-2]
    kept = [each for each in charges if each.posted_at <= before]
    assert 0 < len(kept) < len(charges)
    file, tally = written(selection(books, as_of=before), format_)
    assert tally.rows == len(rows_of(format_, file)) == len(kept)
