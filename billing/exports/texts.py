"""Files of text: PostgreSQL writes their rows, and this joins them.

CSV is RFC 4180 to the letter: lines end in CRLF, a cell with a comma, a quote or a line break is quoted, an empty cell is null.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from django.conf import settings

from aigc_portal.spreadsheets import BYTE_ORDER_MARK, csv_line
from billing.exports.columns import COLUMNS, NAMES, Kind
from billing.exports.formats import Format
from billing.exports.snapshots import Snapshot, Stretch, Totals
from billing.focus import columns as focus_columns
from billing.focus.source import issuer_of, kinds, projection

PIECE_BYTES = 256 * 1024
CSV = "FORMAT csv"
RAW = "FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02'"
"""One column of text without control characters, as it is: JSON and XML write those in other ways."""


@dataclass(slots=True)
class Tally:
    """What has been written so far. `told` is called after every stretch; `totals` are those of the whole file."""

    told: Callable[["Tally"], None] = lambda _tally: None
    rows: int = 0
    totals: Totals = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a format is laid out: its first bytes, columns as SQL and what they need joined, the options of COPY, a row's end."""

    head: bytes
    columns: str
    joined: str = ""
    options: str = CSV
    end: bytes = b"\r\n"


def layout_of(format_: Format, snapshot: Snapshot) -> Layout:
    """Return the layout of a format of text."""
    if format_.focus:
        issuer = issuer_of(host=settings.PORTAL_HOST, name=settings.SITE_NAME)
        head = csv_line(focus_columns.NAMES[format_.focus]).encode()
        columns = projection(format_.focus, issuer, snapshot.selection.tenant_id, snapshot.quoted)
        return Layout(head, columns, kinds())
    head = csv_line(NAMES).encode()
    if format_ is Format.SHEET_CSV:
        return Layout(BYTE_ORDER_MARK.encode() + head, ", ".join(_plain(column.kind, column.harmless) for column in COLUMNS))
    if format_ is Format.JSON_LINES:
        return Layout(b"", _json(), options=RAW, end=b"\n")
    return Layout(head, ", ".join(_plain(column.kind, column.sql) for column in COLUMNS))


def pieces(snapshot: Snapshot, layout: Layout, tally: Tally) -> Iterator[bytes]:
    """Yield the file in pieces of some size; the first at once."""
    yield layout.head
    for stretch in snapshot.stretches():
        yield from rows_of(snapshot, layout, stretch, tally)
        tally.told(tally)


def rows_of(snapshot: Snapshot, layout: Layout, stretch: Stretch, tally: Tally) -> Iterator[bytes]:
    """Yield the rows of a stretch in pieces, and count them."""
    rows: list[bytes] = []
    size = 0
    for row in snapshot.copy(stretch, layout.columns, layout.options, layout.joined):
        rows.append(bytes(row[:-1]))
        size += len(row)
        if size >= PIECE_BYTES:
            yield _joined(rows, layout, tally)
            rows, size = [], 0
    if rows:
        yield _joined(rows, layout, tally)


def _joined(rows: list[bytes], layout: Layout, tally: Tally) -> bytes:
    tally.rows += len(rows)
    return layout.end.join((*rows, b""))


def _plain(kind: Kind, sql: str) -> str:
    return f"CASE WHEN {sql} THEN 'true' ELSE 'false' END" if kind is Kind.FLAG else sql


def _json() -> str:
    """One object a row; what must stay exact is text."""
    exact = {Kind.AMOUNT: "::text", Kind.DAY: "::text"}
    members = (f"'{column.name}', ({column.sql}){exact.get(column.kind, '')}" for column in COLUMNS)
    return f"json_build_object({', '.join(members)})"
