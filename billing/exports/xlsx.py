"""An Excel workbook, written as it is read: PostgreSQL writes the cells, and this packs them.

Libraries that write workbooks build every cell in Python, which takes eight times as long; what is needed of the format is little
(ECMA-376, part 1: sheets with inline strings). Amounts stand there twice: as numbers, of which Excel keeps fifteen digits, and
exactly, as text. Nothing is ever a formula.
"""

import zipfile
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import BinaryIO
from xml.sax.saxutils import escape

from billing.exports.columns import COLUMNS, Column, Kind
from billing.exports.snapshots import Snapshot, Sums
from billing.exports.texts import RAW, Layout, Tally, rows_of

SHEET_ROWS = 1_045_000
"""After so many a new sheet begins. Excel reads 3,576 more, and no two pieces of text have as many rows."""
EXACT = ("amount", "list_amount")
"""Columns that are there as text too."""

_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
# What XML cannot hold, but for the three that it holds as references.
_ILLEGAL = "".join(map(chr, {*range(1, 32), 0xFFFE, 0xFFFF} - {9, 10, 13}))
_BOLD, _AMOUNT = 1, 2
_FACE = '<sz val="11"/><name val="Calibri"/>'
_PLAIN = 'numFmtId="0" fontId="0" fillId="0" borderId="0"'
_STYLES = (
    f'{_XML}<styleSheet {_MAIN}><numFmts count="1"><numFmt numFmtId="164" formatCode="0.00#######"/></numFmts>'
    f'<fonts count="2"><font>{_FACE}</font><font><b/>{_FACE}</font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    f'<cellStyleXfs count="1"><xf {_PLAIN}/></cellStyleXfs><cellXfs count="3"><xf {_PLAIN} xfId="0"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)


def write(snapshot: Snapshot, sink: BinaryIO, tally: Tally) -> None:
    """Write the workbook: a summary, and the lines on as many sheets as they need."""
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        pieces = _pieces(snapshot, tally)
        count = 0
        first: bytes | None = next(pieces, b"")
        while first is not None:
            count += 1
            first = _lines(archive, f"xl/worksheets/lines{count}.xml", first, pieces, tally)
        _put(archive, "xl/worksheets/summary.xml", _sheet(_summary(snapshot, tally)))
        _frame(archive, count)


def _pieces(snapshot: Snapshot, tally: Tally) -> Iterator[bytes]:
    layout = Layout(b"", _row_sql(), options=RAW, end=b"")
    for stretch in snapshot.stretches():
        yield from rows_of(snapshot, layout, stretch, tally)
        tally.told(tally)


def _lines(archive: zipfile.ZipFile, name: str, first: bytes, pieces: Iterator[bytes], tally: Tally) -> bytes | None:
    """Write a sheet that begins with a piece; return the one that the next sheet begins with, or None at the end."""
    before = tally.rows
    header = [f"{column.name}{mark}" for column in COLUMNS for mark in (("", "_exact") if column.name in EXACT else ("",))]
    with archive.open(name, "w", force_zip64=True) as sheet:
        sheet.write(f"{_XML}<worksheet {_MAIN}>{_PANES}<sheetData>{_row(header, _BOLD)}".encode())
        piece: bytes | None = first
        while piece is not None:
            sheet.write(piece)
            piece = next(pieces, None)
            if piece is not None and tally.rows - before > SHEET_ROWS:
                break
        sheet.write(b"</sheetData></worksheet>")
    return piece


_PANES = (
    '<sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
    '</sheetView></sheetViews><sheetFormatPr defaultRowHeight="15"/>'
    '<cols><col min="1" max="40" width="18" customWidth="1"/></cols>'
)


def _row_sql() -> str:
    return "concat('<row>', " + ", ".join(_cell_sql(column) for column in COLUMNS) + ", '</row>')"


def _cell_sql(column: Column) -> str:
    """One cell as XML. Without a value it is there all the same: cells have no addresses, and count by their order."""
    text = "'<c t=\"inlineStr\"><is><t>' || ({}) || '</t></is></c>'".format
    if column.kind is Kind.FLAG:
        return f"CASE WHEN {column.sql} THEN '<c t=\"b\"><v>1</v></c>' ELSE '<c t=\"b\"><v>0</v></c>' END"
    if column.kind is Kind.TYPED:
        preserved = f"'<c t=\"inlineStr\"><is><t xml:space=\"preserve\">' || {_escaped(column.sql)} || '</t></is></c>'"
        return f"coalesce({preserved}, '<c/>')"
    if column.kind not in {Kind.WHOLE, Kind.AMOUNT}:
        return f"coalesce({text(column.sql)}, '<c/>')"
    style = f' s="{_AMOUNT}"' if column.kind is Kind.AMOUNT else ""
    number = f"coalesce('<c{style}><v>' || ({column.sql}) || '</v></c>', '<c/>')"
    return f"{number}, {text(column.sql)}" if column.name in EXACT else number


def _escaped(text: str) -> str:
    illegal = " || ".join(f"chr({ord(character)})" for character in _ILLEGAL)
    text = f"translate({text}, {illegal}, '')"
    for character, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\t", "&#9;"), ("\n", "&#10;"), ("\r", "&#13;")):
        text = f"replace({text}, chr({ord(character)}), '{written}')"
    return text


Cell = str | Decimal


def _summary(snapshot: Snapshot, tally: Tally) -> Iterator[str]:
    """What it comes to, by currency, and by what people ask for first."""
    yield _row(("Currency", *_MONEY), _BOLD)
    for currency, sums in sorted(tally.totals.items()):
        yield _row((currency, *_money(sums)))
    for title, field in (
        ("Category", "category"),
        ("GPU class", "gpu_class__name"),
        ("User", "owner__username"),
        ("Project", "tag"),
    ):
        yield _row(())
        yield _row((title, *_MONEY, "Currency"), _BOLD)
        for value, currency, sums in snapshot.sums_by(field):
            yield _row((value, *_money(sums), currency))


_MONEY = ("Amount", "Amount, exact", "At list prices", "At list prices, exact")


def _money(sums: Sums) -> tuple[Cell, ...]:
    return sums.net, f"{sums.net:f}", sums.list, f"{sums.list:f}"


def _row(cells: Iterable[Cell], style: int = 0) -> str:
    return f"<row>{''.join(_cell(cell, style) for cell in cells)}</row>"


def _cell(value: Cell, style: int) -> str:
    if isinstance(value, Decimal):
        return f'<c s="{_AMOUNT}"><v>{value:f}</v></c>'
    text = escape(value.translate(dict.fromkeys(map(ord, _ILLEGAL))), {"\r": "&#13;"})
    return f'<c t="inlineStr" s="{style}"><is><t xml:space="preserve">{text}</t></is></c>'


def _sheet(rows: Iterable[str]) -> str:
    return f"{_XML}<worksheet {_MAIN}><sheetData>{''.join(rows)}</sheetData></worksheet>"


def _frame(archive: zipfile.ZipFile, count: int) -> None:
    """Write what makes a workbook of sheets: the summary, and so many sheets of lines."""
    parts = ["summary", *(f"lines{number}" for number in range(1, count + 1))]
    names = ["Summary", "Lines", *(f"Lines {number}" for number in range(2, count + 1))]
    sheets = "".join(f'<sheet name="{name}" sheetId="{number}" r:id="r{number}"/>' for number, name in enumerate(names, start=1))
    relations = "".join(
        f'<Relationship Id="r{number}" Type="{_RELATIONS}/worksheet" Target="worksheets/{part}.xml"/>'
        for number, part in enumerate(parts, start=1)
    )
    styles = f'<Relationship Id="styles" Type="{_RELATIONS}/styles" Target="styles.xml"/>'
    types = "".join(
        f'<Override PartName="/xl/{part}.xml" ContentType="{_OFFICE}.{kind}+xml"/>'
        for part, kind in (
            ("workbook", "sheet.main"),
            ("styles", "styles"),
            *((f"worksheets/{part}", "worksheet") for part in parts),
        )
    )
    defaults = (
        f'<Default Extension="rels" ContentType="{_RELATIONS_TYPE}"/><Default Extension="xml" ContentType="application/xml"/>'
    )
    workbook = f'<Relationship Id="r1" Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/>'
    _put(archive, "xl/styles.xml", _STYLES)
    _put(archive, "xl/workbook.xml", f'{_XML}<workbook {_MAIN} xmlns:r="{_RELATIONS}"><sheets>{sheets}</sheets></workbook>')
    _put(
        archive,
        "xl/_rels/workbook.xml.rels",
        f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{relations}{styles}</Relationships>',
    )
    _put(archive, "_rels/.rels", f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{workbook}</Relationships>')
    _put(archive, "[Content_Types].xml", f'{_XML}<Types xmlns="{_PACKAGE}/content-types">{defaults}{types}</Types>')


_RELATIONS_TYPE = "application/vnd.openxmlformats-package.relationships+xml"


def _put(archive: zipfile.ZipFile, name: str, text: str) -> None:
    """Write a part. `writestr` would note the time of day, and the same lines are to make the same bytes."""
    with archive.open(name, "w") as part:
        part.write(text.encode())
