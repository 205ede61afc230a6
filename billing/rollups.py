"""Keeping the sums what the charges come to: replaced bucket by bucket in the transaction that posts, never counted up.

A bucket of days is one instance's or volume's day (or a tenant's own, for credits and the like); one of months an owner's month.
Whoever posts holds the locks of the meters and of the accounts concerned (`posting`), for the rest of the transaction.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

from billing.models import Charge

_DIMENSIONS = (
    *("tenant_id", "day", "instance_id", "volume_id", "owner_id", "category", "gpu_class_id"),
    *("storage_class", "tag", "price_id", "currency", "period_id"),
)
_OF_MONTHS = ("tenant_id", "owner_id", "category", "gpu_class_id", "storage_class", "tag", "currency", "period_id")
_SUMS = ("seconds", "milli_unit_seconds", "amount", "list_amount", "charge_count")


def _listed(names: tuple[str, ...], prefix: str = "") -> str:
    return ", ".join(f"{prefix}{name}" for name in names)


_FILL_DAYS = f"""
INSERT INTO billing_dayrollup ({_listed(_DIMENSIONS)}, {_listed(_SUMS)})
SELECT {_listed(_DIMENSIONS, "c.")},
    sum(c.seconds), sum(c.seconds::bigint * c.quantity_milli), sum(c.amount), sum(c.list_amount), count(*)
FROM {{charges}} GROUP BY {_listed(_DIMENSIONS, "c.")}
"""
_FILL_MONTHS = f"""
INSERT INTO billing_monthrollup (month, {_listed(_OF_MONTHS)}, {_listed(_SUMS)})
SELECT date_trunc('month', r.day)::date, {_listed(_OF_MONTHS, "r.")},
    sum(r.seconds), sum(r.milli_unit_seconds), sum(r.amount), sum(r.list_amount), sum(r.charge_count)
FROM {{days}} GROUP BY 1, {_listed(_OF_MONTHS, "r.")}
"""
# A day of an account's calendar lies within two days of the UTC day of the same name. So the indexes on starts_at help, and the
# bounds of all buckets let PostgreSQL see that they will.
_ON_THE_DAY = """
c.day = bucket.day AND c.starts_at >= bucket.day - interval '2 days' AND c.starts_at < bucket.day + interval '3 days'
    AND c.starts_at >= %(first)s - interval '2 days' AND c.starts_at < %(last)s + interval '3 days'
"""


def _of_subjects(column: str) -> tuple[str, str]:
    """Return the statements that empty and fill the days of instances or volumes."""
    buckets = "unnest(%(subjects)s::uuid[], %(days)s::date[]) AS bucket (subject, day)"
    empty = f"DELETE FROM billing_dayrollup AS r USING {buckets} WHERE r.{column} = bucket.subject AND r.day = bucket.day"
    charges = f"{buckets} JOIN billing_charge AS c ON c.{column} = bucket.subject AND {_ON_THE_DAY}"
    return empty, _FILL_DAYS.format(charges=charges)


def _of_tenants() -> tuple[str, str]:
    """Return the statements that empty and fill tenants' own days: what is charged for neither an instance nor a volume."""
    buckets = "unnest(%(subjects)s::bigint[], %(days)s::date[]) AS bucket (subject, day)"
    own = "{0}.tenant_id = bucket.subject AND {0}.instance_id IS NULL AND {0}.volume_id IS NULL"
    empty = f"DELETE FROM billing_dayrollup AS r USING {buckets} WHERE {own.format('r')} AND r.day = bucket.day"
    return empty, _FILL_DAYS.format(charges=f"{buckets} JOIN billing_charge AS c ON {own.format('c')} AND {_ON_THE_DAY}")


def _of_owners() -> tuple[str, str]:
    """Return the statements that empty and fill owners' months."""
    buckets = "unnest(%(tenants)s::bigint[], %(owners)s::bigint[], %(months)s::date[]) AS bucket (tenant, owner, month)"
    own = "r.tenant_id = bucket.tenant AND r.owner_id IS NOT DISTINCT FROM bucket.owner"
    empty = f"DELETE FROM billing_monthrollup AS r USING {buckets} WHERE {own} AND r.month = bucket.month"
    in_month = "r.day >= bucket.month AND r.day < bucket.month + interval '1 month'"
    in_month += " AND r.day >= %(first)s AND r.day < %(last)s + interval '1 month'"
    return empty, _FILL_MONTHS.format(days=f"{buckets} JOIN billing_dayrollup AS r ON {own} AND {in_month}")


_INSTANCES, _VOLUMES, _TENANTS, _MONTHS = _of_subjects("instance_id"), _of_subjects("volume_id"), _of_tenants(), _of_owners()


@dataclass(slots=True)
class Touched:
    """The buckets that rows about to be posted belong to."""

    instances: set[tuple[uuid.UUID, date]] = field(default_factory=set)
    volumes: set[tuple[uuid.UUID, date]] = field(default_factory=set)
    tenants: set[tuple[int, date]] = field(default_factory=set)
    months: set[tuple[int, int | None, date]] = field(default_factory=set)

    @classmethod
    def by(cls, rows: Iterable[Charge]) -> "Touched":
        """Return the buckets of these rows."""
        touched = cls()
        for row in rows:
            if row.instance_id is not None:
                touched.instances.add((row.instance_id, row.day))
            elif row.volume_id is not None:
                touched.volumes.add((row.volume_id, row.day))
            else:
                touched.tenants.add((row.tenant_id, row.day))
            touched.months.add((row.tenant_id, row.owner_id, row.day.replace(day=1)))
        return touched


def replace_touched(touched: Touched) -> None:
    """Work the sums of these buckets out anew. Their accounts are locked."""
    with connection.cursor() as cursor:
        for statements, buckets in ((_INSTANCES, touched.instances), (_VOLUMES, touched.volumes), (_TENANTS, touched.tenants)):
            _replace(cursor, statements, ("subjects", "days"), buckets)
        _replace(cursor, _MONTHS, ("tenants", "owners", "months"), touched.months)


def fill_all(cursor: CursorWrapper, tenant_id: int | None) -> int:
    """Fill the sums of one tenant or of all, which are empty; return how many there are."""
    of_tenant = " WHERE {0}.tenant_id = %(tenant)s" if tenant_id is not None else ""
    cursor.execute(_FILL_DAYS.format(charges="billing_charge AS c" + of_tenant.format("c")), {"tenant": tenant_id})
    made: int = cursor.rowcount
    cursor.execute(_FILL_MONTHS.format(days="billing_dayrollup AS r" + of_tenant.format("r")), {"tenant": tenant_id})
    return made + int(cursor.rowcount)


def _replace(cursor: CursorWrapper, statements: tuple[str, str], names: tuple[str, ...], buckets: set[Any]) -> None:
    if not buckets:
        return
    parameters: dict[str, Any] = dict(zip(names, map(list, zip(*buckets, strict=True)), strict=True))
    dates = parameters[names[-1]]
    parameters |= {"first": min(dates), "last": max(dates)}
    for statement in statements:
        cursor.execute(statement, parameters)
