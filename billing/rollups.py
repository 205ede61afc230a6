"""Keeping the sums what the charges come to: replaced bucket by bucket in the transaction that posts, never counted up.

A bucket of days is one instance's or volume's day (or a tenant's own, for credits and the like); one of months an owner's month.
Whoever posts holds the locks of the meters concerned, and takes those of the accounts here: for the rest of the transaction.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from django.db import connection

from billing.accounts import lock_accounts
from billing.models import Charge

_DIMENSIONS = (
    "tenant_id, day, instance_id, volume_id, owner_id, category, gpu_class_id, storage_class, tag, price_id, currency, period_id"
)
_SUMS = "seconds, milli_unit_seconds, amount, list_amount, charge_count"
_OF_CHARGES = "sum(c.seconds), sum(c.seconds::bigint * c.quantity_milli), sum(c.amount), sum(c.list_amount), count(*)"
_MONTH_DIMENSIONS = "tenant_id, month, owner_id, category, gpu_class_id, storage_class, tag, currency, period_id"
_OF_DAYS = "sum(seconds), sum(milli_unit_seconds), sum(amount), sum(list_amount), sum(charge_count)"
_MONTH = "date_trunc('month', day)::date"

# A day of an account's calendar begins and ends within two days of the UTC day of the same name: lets the index on starts_at help.
_CHARGES_OF_BUCKETS = """
    FROM unnest(%(subjects)s::uuid[], %(days)s::date[]) AS bucket (subject, day)
    JOIN billing_charge AS c ON c.{subject} = bucket.subject AND c.day = bucket.day
        AND c.starts_at >= bucket.day - interval '2 days' AND c.starts_at < bucket.day + interval '3 days'
"""
_REPLACE_DAYS_OF = """
DELETE FROM billing_dayrollup AS r USING unnest(%(subjects)s::uuid[], %(days)s::date[]) AS bucket (subject, day)
WHERE r.{subject} = bucket.subject AND r.day = bucket.day;
"""
_FILL_DAYS_OF = (
    f"INSERT INTO billing_dayrollup ({_DIMENSIONS}, {_SUMS}) SELECT c."  # noqa: S608 - constants of this module
    + ", c.".join(_DIMENSIONS.split(", "))
    + f", {_OF_CHARGES} {_CHARGES_OF_BUCKETS} GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12"
)
_REPLACE_OWN_DAYS = """
DELETE FROM billing_dayrollup AS r USING unnest(%(tenants)s::bigint[], %(days)s::date[]) AS bucket (tenant, day)
WHERE r.tenant_id = bucket.tenant AND r.day = bucket.day AND r.instance_id IS NULL AND r.volume_id IS NULL
"""
_FILL_OWN_DAYS = (
    f"INSERT INTO billing_dayrollup ({_DIMENSIONS}, {_SUMS}) SELECT c."  # noqa: S608 - constants of this module
    + ", c.".join(_DIMENSIONS.split(", "))
    + f""", {_OF_CHARGES}
    FROM unnest(%(tenants)s::bigint[], %(days)s::date[]) AS bucket (tenant, day)
    JOIN billing_charge AS c ON c.tenant_id = bucket.tenant AND c.day = bucket.day
        AND c.starts_at >= bucket.day - interval '2 days' AND c.starts_at < bucket.day + interval '3 days'
        AND c.instance_id IS NULL AND c.volume_id IS NULL
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12"""
)
_REPLACE_MONTHS = """
DELETE FROM billing_monthrollup AS r
USING unnest(%(tenants)s::bigint[], %(owners)s::bigint[], %(months)s::date[]) AS bucket (tenant, owner, month)
WHERE r.tenant_id = bucket.tenant AND r.month = bucket.month AND r.owner_id IS NOT DISTINCT FROM bucket.owner
"""
_FILL_MONTHS = f"""
INSERT INTO billing_monthrollup ({_MONTH_DIMENSIONS}, {_SUMS})
SELECT r.tenant_id, bucket.month, r.owner_id, r.category, r.gpu_class_id, r.storage_class, r.tag, r.currency, r.period_id, {_OF_DAYS}
FROM unnest(%(tenants)s::bigint[], %(owners)s::bigint[], %(months)s::date[]) AS bucket (tenant, owner, month)
JOIN billing_dayrollup AS r ON r.tenant_id = bucket.tenant AND r.owner_id IS NOT DISTINCT FROM bucket.owner
    AND r.day >= bucket.month AND r.day < bucket.month + interval '1 month'
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
"""  # noqa: S608 - constants of this module


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
    """Work the sums of these buckets out anew."""
    if not touched.months:
        return
    lock_accounts({tenant_id for tenant_id, _owner, _month in touched.months})
    with connection.cursor() as cursor:
        for column, buckets in (("instance_id", touched.instances), ("volume_id", touched.volumes)):
            if buckets:
                subjects, days = zip(*sorted(buckets), strict=True)
                parameters = {"subjects": list(subjects), "days": list(days)}
                cursor.execute(_REPLACE_DAYS_OF.format(subject=column), parameters)
                cursor.execute(_FILL_DAYS_OF.format(subject=column), parameters)
        if touched.tenants:
            tenants, days = zip(*sorted(touched.tenants), strict=True)
            cursor.execute(_REPLACE_OWN_DAYS, {"tenants": list(tenants), "days": list(days)})
            cursor.execute(_FILL_OWN_DAYS, {"tenants": list(tenants), "days": list(days)})
        tenants, owners, months = zip(*touched.months, strict=True)
        parameters = {"tenants": list(tenants), "owners": list(owners), "months": list(months)}
        cursor.execute(_REPLACE_MONTHS, parameters)
        cursor.execute(_FILL_MONTHS, parameters)
