"""What a file of costs may be."""

from dataclasses import dataclass
from enum import StrEnum

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.focus.columns import Version


class Format(models.TextChoices):
    """Each is written in one way alone."""

    CSV = "csv", _("CSV for programs")
    SHEET_CSV = "sheet-csv", _("CSV for spreadsheets")
    JSON_LINES = "jsonl", _("JSON Lines")
    XLSX = "xlsx", _("Excel workbook")
    PARQUET = "parquet", _("Parquet")
    FOCUS_1_2 = "focus-1.2", _("FOCUS 1.2 (CSV)")
    FOCUS_1_4 = "focus-1.4", _("FOCUS 1.4 (CSV)")

    @property
    def ending(self) -> str:
        """Of file names, without its dot."""
        return _KINDS[self].ending

    @property
    def content_type(self) -> str:
        """As HTTP has it."""
        return _KINDS[self].content_type

    @property
    def focus(self) -> Version | None:
        """The edition of FOCUS, if it is that."""
        return _KINDS[self].focus


@dataclass(frozen=True, slots=True)
class _Kind:
    ending: str
    content_type: str
    focus: Version | None = None


_CSV = ("csv", "text/csv; charset=utf-8")
_KINDS = {
    Format.CSV: _Kind(*_CSV),
    Format.SHEET_CSV: _Kind(*_CSV),
    Format.JSON_LINES: _Kind("jsonl", "application/jsonl; charset=utf-8"),
    Format.XLSX: _Kind("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    Format.PARQUET: _Kind("parquet", "application/vnd.apache.parquet"),
    Format.FOCUS_1_2: _Kind(*_CSV, Version.V1_2),
    Format.FOCUS_1_4: _Kind(*_CSV, Version.V1_4),
}


class Basis(StrEnum):
    """What the days of a window say about a line."""

    USAGE = "usage"  # when something was used
    INVOICE = "invoice"  # which months' invoices bill it, corrections of earlier months included


class Detail(StrEnum):
    """How much of a line's history there is in a file."""

    NET = "net"  # its last word in each billing period
    LEDGER = "ledger"  # whatever was posted
