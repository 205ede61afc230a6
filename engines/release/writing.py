"""What a look at all engines has found, written by one statement: thousands of single ones take longer than all the rest."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection, models, transaction

from engines.models import Use


class Seen(NamedTuple):
    """The columns of a `Use` that a look owns, and of which row and run they are."""

    id: int
    run_id: str
    user_at: datetime | None
    api_at: datetime | None
    stream_at: datetime | None
    busy_since: datetime | None
    unknown_since: datetime | None
    free_looks: int
    why: str
    evidence: str
    due_at: datetime | None
    looked_at: datetime | None


@transaction.atomic
def write_down(seen: Sequence[Seen]) -> None:
    """Write each row that is still about the run that was looked at; what people ask meanwhile is left alone.

    Rows are locked in the order of their instances first, as a team's schedule does, so that neither waits for the other.
    """
    rows = Use.objects.filter(pk__in=[each.id for each in seen]).order_by("instance_id")
    list(rows.select_for_update(no_key=True).values_list("pk"))
    update_each(Use, seen, same=("id", "run_id"))


def update_each(model: type[models.Model], rows: Sequence[Any], *, same: Sequence[str]) -> None:
    """Update rows of a model from named tuples of its fields, where those in `same` are so; of one type, for all have one shape.

    Django's `bulk_update` asks `CASE WHEN id = …` for each field of each row: for thousands, most of a look was spent on that.
    """
    if not rows:
        return
    about, names = model._meta, rows[0]._fields  # noqa: SLF001 - documented, for all its name
    table, fields = connection.ops.quote_name(about.db_table), {field.attname: field for field in about.concrete_fields}
    quoted = {name: connection.ops.quote_name(name) for name in names}
    types = ", ".join(f"%s::{fields[name].rel_db_type(connection)}[]" for name in names)
    changes = ", ".join(f"{quoted[name]} = seen.{quoted[name]}" for name in names if name not in same)
    alike = " AND ".join(f"known.{quoted[name]} = seen.{quoted[name]}" for name in same)
    statement = (
        f"UPDATE {table} AS known SET {changes} "  # noqa: S608 - names of our own models
        f"FROM unnest({types}) AS seen({', '.join(quoted.values())}) WHERE {alike}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(column) for column in zip(*rows, strict=True)])
