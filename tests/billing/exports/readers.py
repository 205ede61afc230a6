"""Files read as their readers would, by other code than wrote them; and what the files for one question come to.

`sums_of_files(...)` is for any test that holds files against pages and answers.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal

import openpyxl
import pyarrow.parquet

from billing.accounts import calendar_of
from billing.dimensions import read_filter
from billing.exports.formats import Basis, Detail, Format
from billing.exports.selection import Selection
from billing.exports.snapshots import snapshot
from billing.exports.texts import Tally
from billing.exports.writing import write
from billing.windows import Window
from tenants.models import Tenant

Row = dict[str, object]
Both = dict[str, tuple[Decimal, Decimal]]
"""Net and list amount by currency."""


def rows_of(format_: Format, file: bytes) -> list[Row]:
    """Return the lines of a file as its reader gets them."""
    return _READERS[format_](file)


def sums_of_files(
    tenant: Tenant,
    window: Window,
    as_of: datetime,
    *,
    filter_: str = "",
    basis: Basis = Basis.USAGE,
    detail: Detail = Detail.NET,
    formats: Iterable[Format] = Format,
) -> dict[Format, Both]:
    """Write a file of each format for the question, read it, and add its rows up."""
    wanted = Selection(tenant.pk, window, calendar_of(tenant), as_of, read_filter(filter_), basis, detail)
    return {each: sums(each, written(wanted, each)[0]) for each in formats}


def written(wanted: Selection, format_: Format) -> tuple[bytes, Tally]:
    """Write a file into memory."""
    tally, sink = Tally(), io.BytesIO()
    with snapshot(wanted) as books:
        write(format_, books, sink, tally)
    return sink.getvalue(), tally


def sums(format_: Format, file: bytes) -> Both:
    """Add up the rows of a file."""
    net, listed, code = ("BilledCost", "ListCost", "BillingCurrency") if format_.focus else _NAMES.get(format_, _OWN)
    found: Both = {}
    for row in rows_of(format_, file):
        before = found.get(str(row[code]), (Decimal(0), Decimal(0)))
        found[str(row[code])] = (before[0] + Decimal(str(row[net])), before[1] + Decimal(str(row[listed])))
    return found


_OWN = ("amount", "list_amount", "currency")
_NAMES = {Format.XLSX: ("amount_exact", "list_amount_exact", "currency")}


def _csv(file: bytes) -> list[Row]:
    return list(csv.DictReader(io.StringIO(file.decode("utf-8-sig"), newline=""), strict=True))


def _json(file: bytes) -> list[Row]:
    return [json.loads(line) for line in file.decode().splitlines()]


def _xlsx(file: bytes) -> list[Row]:
    book = openpyxl.load_workbook(io.BytesIO(file), read_only=True)
    found: list[Row] = []
    for name in book.sheetnames[1:]:
        header, *rows = book[name].iter_rows(values_only=True)
        found += [dict(zip(header, row, strict=True)) for row in rows]
    book.close()
    return found


def _parquet(file: bytes) -> list[Row]:
    return list(pyarrow.parquet.read_table(io.BytesIO(file)).to_pylist())


_READERS: dict[Format, Callable[[bytes], list[Row]]] = {
    Format.CSV: _csv,
    Format.SHEET_CSV: _csv,
    Format.JSON_LINES: _json,
    Format.XLSX: _xlsx,
    Format.PARQUET: _parquet,
    Format.FOCUS_1_2: _csv,
    Format.FOCUS_1_4: _csv,
}
