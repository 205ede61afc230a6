"""One state of the books, read by COPY on a connection of its own: with flat memory, in stretches, for as long as it takes.

Not Django's connection: a file takes minutes, in which its job tells how far it is, and an answer that streams outlasts its
request. Whoever stops reading has the running statement cancelled.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg
from django.db import connection as django_connection
from django.db.models import F, Q, QuerySet, Sum
from psycopg import sql

from billing.exports.formats import Basis, Detail
from billing.exports.selection import Selection
from billing.focus.source import moment
from billing.models import BillingPeriod, Charge, DayRollup

NAME = "aigc export"
"""Of the connections, for whoever looks at the database."""
FIRST_STRETCH = 1_000
STRETCH = 50_000
"""Lines of a stretch, at most; the first is short, so that whoever waits sees at once that it begins."""
# A statement ends before the lease of the worker that asked it (see jobs).
_LIMITS = "SET LOCAL statement_timeout = '100s'; SET LOCAL idle_in_transaction_session_timeout = '10min'"
# Every stretch is read by the index of its period: neither the whole table, nor all numbers from the first to the last, among
# which are those of everybody else. What one stretch has lies together.
_PLANS = "SET LOCAL enable_seqscan = off; SET LOCAL random_page_cost = 1"
_UTC = "SET LOCAL timezone = 'UTC'"  # moments are written as they are then
SOURCES = f"""
CROSS JOIN (
    SELECT period.time_zone, tenant.name AS tenant, tenant.slug || to_char(month, '-YYYY-MM') AS invoice,
        {moment("starts_at")} AS starts, {moment("ends_at")} AS ends
    FROM billing_billingperiod AS period JOIN tenants_tenant AS tenant ON tenant.id = period.tenant_id
    WHERE period.id = {{period}} OFFSET 0
) AS period
LEFT JOIN tenants_user AS owner ON owner.id = charge.owner_id
LEFT JOIN engines_gpuclass AS gpu_class ON gpu_class.id = charge.gpu_class_id
LEFT JOIN engines_instance AS instance ON instance.id = charge.instance_id
LEFT JOIN engines_volume AS volume ON volume.id = charge.volume_id
LEFT JOIN engines_engineversion AS version ON version.id = instance.engine_version_id
LEFT JOIN engines_engine AS engine ON engine.id = version.engine_id
"""  # noqa: S608 - ours
"""What the columns of a stretch are taken from, in UTC, beside `charge`; `owner` to `engine` may be missing. Of the one period
everything is worked out once, which OFFSET 0 sees to."""
_COLUMNS = tuple(field.attname for field in Charge._meta.concrete_fields)  # noqa: SLF001 - Django's documented _meta


@dataclass(frozen=True, slots=True)
class Sums:
    """What lines come to in one currency."""

    net: Decimal
    list: Decimal


Totals = dict[str, Sums]
"""By currency."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of one billing period: the selected lines after one number, up to another."""

    period_id: int
    after: int
    up_to: int
    is_plain: bool  # the file leaves none of them out


@dataclass(slots=True)
class Snapshot:
    """The selected lines in one state of the books."""

    connection: "psycopg.Connection[Any]"
    selection: Selection

    def count(self) -> int:
        """Count the lines, whether or not the file has them."""
        lines = self.selection.lines().values("pk")
        return int(self._one(f"SELECT count(*) FROM ({self.text(lines)}) AS line")[0])  # noqa: S608 - as below

    def stretches(self) -> Iterator[Stretch]:
        """Yield all lines in the order of their billing periods, and of their numbers within each."""
        limit = FIRST_STRETCH
        for period_id in self._periods():
            after, is_plain = 0, self._is_plain(period_id)
            while (stretch := self._stretch(period_id, after, limit, is_plain=is_plain)) is not None:
                yield stretch
                after, limit = stretch.up_to, STRETCH

    def totals(self) -> Totals:
        """Add all lines up. What the file leaves out comes to nothing."""
        sums = self.selection.lines().values(code=F("currency")).annotate(net=Sum("amount"), listed=Sum("list_amount"))
        found = self._all(f"SELECT code, net, listed FROM ({self.text(sums)}) AS line")  # noqa: S608 - as below
        return {code: Sums(net, listed) for code, net, listed in found}

    def sums_by(self, field: str) -> list[tuple[str, str, Sums]]:
        """Return (value, currency, sums) for each value of a field of Charge, dearest first; "" where there is none."""
        lines = self.selection.lines().values(value=F(field), code=F("currency"))
        sums = lines.annotate(net=Sum("amount"), listed=Sum("list_amount"))
        found = self._all(f"SELECT value, code, net, listed FROM ({self.text(sums)}) AS line ORDER BY net DESC, value")  # noqa: S608
        return [(value or "", code, Sums(net, listed)) for value, code, net, listed in found]

    def copy(self, stretch: Stretch, columns: str, options: str, joined: str = "") -> Iterator[bytes | bytearray | memoryview]:
        """Yield the rows that the file has of the stretch, one at a time, as COPY writes them.

        `columns`: SQL over SOURCES and whatever is `joined` to them; `options` of COPY.
        """
        lines = self._of_period(stretch.period_id).filter(pk__gt=stretch.after, pk__lte=stretch.up_to)
        rows = lines if stretch.is_plain else self.selection.rows(lines)
        chosen = self.text(rows.order_by("pk").values(*_COLUMNS))
        sources = SOURCES.format(period=stretch.period_id) + joined
        select = f"SELECT {columns} FROM ({chosen}) AS charge {sources} ORDER BY charge.id"  # noqa: S608 - Django's own SQL, and ours
        with self.connection.cursor() as cursor, cursor.copy(sql.SQL(f"COPY ({select}) TO STDOUT WITH ({options})")) as copy:
            yield from copy

    def quoted(self, value: object) -> str:
        """Return a value as SQL has it."""
        return sql.Literal(value).as_string(self.connection)

    def text(self, rows: "QuerySet[Any, Any]") -> str:
        """Return a queryset as SQL without parameters, for COPY takes none."""
        statement, parameters = rows.query.sql_with_params()
        return str(psycopg.ClientCursor(self.connection).mogrify(statement, parameters))

    def _of_period(self, period_id: int) -> QuerySet[Charge]:
        return self.selection.lines().filter(period=period_id)

    def _periods(self) -> list[int]:
        """Return the periods that may have lines."""
        window = self.selection.window
        of_window = Q(month__gte=window.first, month__lte=window.last)
        if self.selection.basis is Basis.USAGE:
            sums = DayRollup.objects.filter(tenant=self.selection.tenant_id, day__gte=window.first, day__lte=window.last)
            of_window = Q(pk__in=sums.values("period"))
        periods = BillingPeriod.objects.filter(of_window, tenant=self.selection.tenant_id).order_by("starts_at")
        return [pk for (pk,) in self._all(self.text(periods.values("pk")))]

    def _is_plain(self, period_id: int) -> bool:
        """Tell whether the file leaves nothing of the period out. Reversals have an index of their own."""
        if self.selection.detail is Detail.LEDGER:
            return True
        reversals = Charge.objects.filter(period=period_id, kind=Charge.Kind.REVERSAL).order_by().values("pk")
        return not self._one(f"SELECT EXISTS ({self.text(reversals)})")[0]

    def _stretch(self, period_id: int, after: int, limit: int, *, is_plain: bool) -> Stretch | None:
        """Find the next numbers of the period, whatever is selected of them: the index knows, and no line has to be read."""
        numbers = Charge.objects.filter(period=period_id, pk__gt=after).order_by("pk").values(number=F("pk"))[:limit]
        last = self._one(f"SELECT max(number) FROM ({self.text(numbers)}) AS line")[0]  # noqa: S608 - Django's own SQL
        return None if last is None else Stretch(period_id, after, last, is_plain)

    def _all(self, statement: str) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            return cursor.execute(sql.SQL(statement)).fetchall()

    def _one(self, statement: str) -> tuple[Any, ...]:
        return self._all(statement)[0]


@contextmanager
def snapshot(selection: Selection) -> Iterator[Snapshot]:
    """Open one state of the books for reading."""
    with psycopg.connect(**django_connection.get_connection_params() | {"application_name": NAME}) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        for statement in (_LIMITS, _PLANS, _UTC):
            connection.execute(statement)
        yield Snapshot(connection, selection)
