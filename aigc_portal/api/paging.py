"""Lists in parts: a cursor names the last row that was seen, so that no row is skipped or seen twice while others come and go.

A cursor is opaque to callers and holds nothing that the row before did not show; what may be seen is decided anew each time.
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext as _
from pydantic import Field

from aigc_portal.api.problems import Problem, invalid
from aigc_portal.api.schemas import Input

LIMIT = 200
M = TypeVar("M", bound=Model)
R = TypeVar("R")


class Paging(Input):
    """Which part of a list is wanted."""

    limit: int = Field(50, ge=1, le=LIMIT, description="Rows of a part, at most.")
    cursor: str = Field("", max_length=500, description="`next_cursor` of the part before; empty for the first.")


def page(rows: QuerySet[M], paging: Paging, *, by: str, show: Callable[[Sequence[M]], Sequence[R]]) -> dict[str, Any]:
    """Return a part of the rows, newest first if `by` begins with a minus. `show` gets all rows of the part at once.

    `by` names a column that orders them; where several rows are equal in it, the primary key decides.
    """
    column, newest_first = by.removeprefix("-"), by.startswith("-")
    if paging.cursor:
        rows = rows.filter(_after(paging.cursor, column, "lt" if newest_first else "gt", rows.model))
    sign = "-" if newest_first else ""
    found = list(rows.order_by(f"{sign}{column}", f"{sign}pk")[: paging.limit + 1])
    shown, more = found[: paging.limit], len(found) > paging.limit
    return {"items": show(shown), "next_cursor": _cursor(shown[-1], column) if more else None}


def page_of(rows: Sequence[R], paging: Paging, *, key: Callable[[R], str]) -> dict[str, Any]:
    """Return a part of rows that are all at hand, sorted by a key that no two of them share."""
    ordered = sorted(rows, key=key)
    if paging.cursor:
        last = _read(paging.cursor, 1)[0]
        ordered = [row for row in ordered if key(row) > last]
    shown, more = ordered[: paging.limit], len(ordered) > paging.limit
    return {"items": shown, "next_cursor": _write([key(shown[-1])]) if more else None}


def offset_cursor(offset: int) -> str:
    """Return a cursor into what knows no rows but only how many there are, e.g. a folder."""
    return _write([str(offset)])


def read_offset(cursor: str) -> int:
    """Return the offset of such a cursor, 0 for none; Problem for what is none."""
    if not cursor:
        return 0
    (text,) = _read(cursor, 1)
    if not text.isdecimal() or len(text) > 9:
        raise _bad_cursor()
    return int(text)


def _after(cursor: str, column: str, beyond: str, model: type[Model]) -> Q:
    value, pk = _read(cursor, 2)
    try:
        value = _column(model, column).to_python(value)
        pk = model._meta.pk.to_python(pk)  # noqa: SLF001 - Django's documented _meta
    except Exception as error:
        raise _bad_cursor() from error
    # The bound alone first: an index can begin there, which it cannot at either of two conditions.
    return Q(**{f"{column}__{beyond}e": value}) & (Q(**{f"{column}__{beyond}": value}) | Q(**{f"pk__{beyond}": pk}))


def _column(model: type[Model], path: str) -> Any:
    *relations, name = path.split("__")
    for relation in relations:
        model = model._meta.get_field(relation).related_model  # type: ignore[assignment]  # noqa: SLF001 - as above
    return model._meta.get_field(name)  # noqa: SLF001 - as above


def _cursor(row: Model, column: str) -> str:
    value: Any = row
    for name in column.split("__"):
        value = getattr(value, name)
    return _write([value.isoformat() if isinstance(value, datetime) else str(value), str(row.pk)])


def _write(parts: list[str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def _read(cursor: str, parts: int) -> list[str]:
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise _bad_cursor() from error
    texts = [each for each in found if isinstance(each, str) and "\0" not in each] if isinstance(found, list) else []
    if len(texts) != parts:
        raise _bad_cursor()
    return texts


def _bad_cursor() -> Problem:
    return invalid("query", "cursor", _("This is no cursor. Leave it out to begin with the first part."))
