"""Lines of CSV files that people open in spreadsheets: nothing that somebody typed can act as a formula there. Pure."""

import csv
import io
from collections.abc import Iterable

BYTE_ORDER_MARK = "\ufeff"
"""Without it Excel takes UTF-8 for the machine's own encoding."""

STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def harmless(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would take for a formula."""
    return f"'{text}" if text.startswith(STARTS_A_FORMULA) else text


def csv_line(values: Iterable[str]) -> str:
    """Write one line as RFC 4180 has it."""
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue()
