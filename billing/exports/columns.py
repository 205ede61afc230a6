"""The columns of our own files, one row for each line of the books, as SQL over the tables of `snapshots.SOURCES`.

What is not known of a line is NULL: an empty cell. Moments are in UTC; amounts have all nine decimals of the books. Names of
users and GPU classes are the present ones; the name of an instance or a volume is the one that it had then.
"""

from dataclasses import dataclass
from enum import Enum, auto

from aigc_portal.spreadsheets import STARTS_A_FORMULA
from billing.focus.source import IS_USAGE, moment


class Kind(Enum):
    """What a cell holds."""

    WORD = auto()  # of ours: it can be nothing but what it is
    TYPED = auto()  # by somebody, who may have typed anything
    MOMENT = auto()  # 2026-03-14T00:00:00Z
    DAY = auto()
    WHOLE = auto()  # a whole number
    FLAG = auto()
    AMOUNT = auto()  # a decimal number that must stay exact


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `about` says what it means."""

    name: str
    kind: Kind
    sql: str
    about: str

    @property
    def harmless(self) -> str:
        """Its SQL, so that nothing in it acts as a formula in a spreadsheet."""
        if self.kind is not Kind.TYPED:
            return self.sql
        return f"CASE WHEN left({self.sql}, 1) IN ({_FORMULAS}) THEN '''' || {self.sql} ELSE {self.sql} END"


def _unicode(character: str) -> str:
    return f"chr({ord(character)})"


_FORMULAS = ", ".join(map(_unicode, STARTS_A_FORMULA))


COLUMNS = (
    Column("id", Kind.WHOLE, "charge.id", "Number in the books, rising."),
    Column("line", Kind.WORD, "charge.line_key::text", "The same for a line, its reversals and its replacements."),
    Column("revision", Kind.WHOLE, "charge.revision", "0 for the first word about a line."),
    Column("kind", Kind.WORD, "charge.kind", "original, reversal or replacement."),
    Column("category", Kind.WORD, "charge.category", "gpu, storage, credit, adjustment or tax."),
    Column("invoice", Kind.WORD, "period.invoice", "Of the month that bills it."),
    Column("correction", Kind.FLAG, "charge.is_correction", "Whether it amends a month that was closed before."),
    Column("day", Kind.DAY, "charge.day", "Of the usage, in the account's time zone."),
    Column("starts_at", Kind.MOMENT, moment("charge.starts_at"), ""),
    Column("ends_at", Kind.MOMENT, moment("charge.ends_at"), ""),
    Column(
        "starts_at_local",
        Kind.WORD,
        "to_char(charge.starts_at AT TIME ZONE period.time_zone, 'YYYY-MM-DD HH24:MI:SS')",
        "By the clock of the account.",
    ),
    Column("time_zone", Kind.WORD, "period.time_zone", "Of the account."),
    Column("seconds", Kind.WHOLE, f"CASE WHEN {IS_USAGE} THEN charge.seconds END", "Below 0 in reversals."),
    Column("quantity", Kind.AMOUNT, f"CASE WHEN {IS_USAGE} THEN charge.quantity_milli * 0.001 END", "GPUs or GiB."),
    Column("unit", Kind.WORD, "CASE charge.category WHEN 'gpu' THEN 'GPU' WHEN 'storage' THEN 'GiB' END", ""),
    Column("user", Kind.TYPED, "owner.username", ""),
    Column("instance", Kind.WORD, "instance.slug", ""),
    Column("volume", Kind.WORD, "volume.slug", ""),
    Column("name", Kind.TYPED, "nullif(charge.resource_name, '')", "What the instance or volume was called then."),
    Column("engine", Kind.WORD, "engine.slug", ""),
    Column("gpu_class", Kind.WORD, "gpu_class.slug", ""),
    Column("storage_class", Kind.TYPED, "nullif(charge.storage_class, '')", ""),
    Column("project", Kind.TYPED, "nullif(charge.tag, '')", ""),
    Column("currency", Kind.WORD, "charge.currency", ""),
    Column("price_per_hour", Kind.AMOUNT, "charge.per_hour", "Of one unit."),
    Column("list_price_per_hour", Kind.AMOUNT, "charge.list_per_hour", ""),
    Column("amount", Kind.AMOUNT, "charge.amount", "What is billed."),
    Column("list_amount", Kind.AMOUNT, "charge.list_amount", "The same at list prices."),
    Column("reason", Kind.TYPED, "nullif(charge.reason, '')", "Of credits, adjustments and taxes."),
    Column("posted_at", Kind.MOMENT, moment("charge.posted_at"), ""),
)
NAMES = tuple(column.name for column in COLUMNS)
