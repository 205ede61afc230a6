"""Which rows come behind one that was seen last, so that no row is skipped or seen twice while others come and go."""

from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet

M = TypeVar("M", bound=Model)


def behind(rows: QuerySet[M], column: str, value: Any, pk: Any, *, newest_first: bool) -> QuerySet[M]:
    """Return the rows behind the one with this value in the column that orders them and, among equals, this primary key.

    The column is compared by itself as well: an index can begin there, while of a choice between two comparisons PostgreSQL makes
    a filter, and reads everything before.
    """
    beyond = "lt" if newest_first else "gt"
    further = Q(**{f"{column}__{beyond}": value}) | Q(**{f"pk__{beyond}": pk})
    return rows.filter(further, **{f"{column}__{beyond}e": value})
