"""Proving the books: every sum is what its parts come to, every amount follows from its own line, every seal holds.

Each check is one statement that returns what is wrong; nothing is repaired here. `rebuilding` makes sums anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection

_SCOPE = "(%(tenant)s::bigint IS NULL OR tenant_id = %(tenant)s) AND (%(month)s::date IS NULL OR {month} = %(month)s)"
_MONTH_OF_DAY = "date_trunc('month', day)::date"

_OF_DAY = """tenant_id, day, instance_id, volume_id, owner_id, category, gpu_class_id, storage_class, tag,
        price_id, currency, period_id"""
_DAYS = f"""
WITH expected AS (
    SELECT {_OF_DAY},
        sum(seconds) AS seconds, sum(seconds::bigint * quantity_milli) AS milli_unit_seconds, sum(amount) AS amount,
        sum(list_amount) AS list_amount, count(*) AS charge_count
    FROM billing_charge WHERE {_SCOPE.format(month=_MONTH_OF_DAY)} GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
), present AS (
    SELECT {_OF_DAY},
        seconds, milli_unit_seconds, amount, list_amount, charge_count
    FROM billing_dayrollup WHERE {_SCOPE.format(month=_MONTH_OF_DAY)}
), different AS (
    (TABLE expected EXCEPT TABLE present) UNION (TABLE present EXCEPT TABLE expected)
)
SELECT DISTINCT tenant_id, day::text FROM different ORDER BY 1, 2 LIMIT %(limit)s
"""
_MONTHS = f"""
WITH expected AS (
    SELECT tenant_id, {_MONTH_OF_DAY} AS month, owner_id, category, gpu_class_id, storage_class, tag, currency, period_id,
        sum(seconds) AS seconds, sum(milli_unit_seconds) AS milli_unit_seconds, sum(amount) AS amount,
        sum(list_amount) AS list_amount, sum(charge_count) AS charge_count
    FROM billing_dayrollup WHERE {_SCOPE.format(month=_MONTH_OF_DAY)} GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
), present AS (
    SELECT tenant_id, month, owner_id, category, gpu_class_id, storage_class, tag, currency, period_id,
        seconds, milli_unit_seconds, amount, list_amount, charge_count
    FROM billing_monthrollup WHERE {_SCOPE.format(month="month")}
), different AS (
    (TABLE expected EXCEPT TABLE present) UNION (TABLE present EXCEPT TABLE expected)
)
SELECT DISTINCT tenant_id, month::text FROM different ORDER BY 1, 2 LIMIT %(limit)s
"""
_OF_CHARGES = _SCOPE.format(month=_MONTH_OF_DAY)
# Half a nano of the currency, times the seconds of an hour and the thousandths of a unit.
_AMOUNTS = f"""
SELECT tenant_id, id::text FROM billing_charge
WHERE {_OF_CHARGES} AND category IN ('gpu', 'storage') AND (
    abs(amount * 3600000 - per_hour * quantity_milli * seconds) > 0.0018
    OR abs(list_amount * 3600000 - list_per_hour * quantity_milli * seconds) > 0.0018
    OR abs(seconds) > extract(epoch FROM ends_at - starts_at)
) ORDER BY id LIMIT %(limit)s
"""
_REVERSALS = f"""
SELECT tenant_id, id::text FROM billing_charge AS reversal
WHERE {_OF_CHARGES} AND kind = 'reversal' AND NOT EXISTS (
    SELECT FROM billing_charge AS standing
    WHERE standing.line_key = reversal.line_key AND standing.revision < reversal.revision AND standing.kind <> 'reversal'
        AND standing.seconds = -reversal.seconds AND standing.amount = -reversal.amount
        AND standing.list_amount = -reversal.list_amount
) ORDER BY id LIMIT %(limit)s
"""
_STANDING_TWICE = f"""
SELECT min(tenant_id), line_key::text FROM billing_charge WHERE {_OF_CHARGES} AND category IN ('gpu', 'storage')
GROUP BY line_key HAVING sum(sign(seconds)) NOT IN (0, 1) LIMIT %(limit)s
"""
_PERIODS = f"""
SELECT charge.tenant_id, charge.id::text
FROM (SELECT * FROM billing_charge WHERE {_OF_CHARGES}) AS charge
JOIN billing_billingperiod AS period ON period.id = charge.period_id
WHERE period.tenant_id <> charge.tenant_id
    OR charge.is_correction <> (period.month > date_trunc('month', charge.day)::date)
    OR period.month < date_trunc('month', charge.day)::date
    OR (NOT charge.is_correction AND NOT (charge.starts_at >= period.starts_at AND charge.ends_at <= period.ends_at))
    OR (NOT charge.is_correction AND charge.currency <> period.currency)
ORDER BY charge.id LIMIT %(limit)s
"""
# What lasts is charged up to `settled_to`; instances that wait to be settled, or lack a price, are not due to agree.
_SECONDS = """
WITH due AS (
    SELECT instance_id AS subject, settled_to FROM billing_meter WHERE dirty_from IS NULL AND unpriced_from IS NULL
    UNION ALL
    SELECT volume_id, settled_to FROM billing_volumemeter WHERE dirty_from IS NULL AND unpriced_from IS NULL
), used AS (
    SELECT coalesce(instance_id, volume_id) AS subject, run_id, min(tenant_id) AS tenant_id,
        sum(extract(epoch FROM greatest(coalesce(ends_at, due.settled_to), starts_at) - starts_at))::bigint AS seconds
    FROM billing_usageinterval JOIN due ON due.subject = coalesce(instance_id, volume_id)
    WHERE kind IN ('gpu', 'storage') AND (%(tenant)s::bigint IS NULL OR tenant_id = %(tenant)s) GROUP BY 1, 2
), charged AS (
    SELECT coalesce(instance_id, volume_id) AS subject, run_id, min(tenant_id) AS tenant_id, sum(seconds) AS seconds
    FROM billing_charge JOIN due ON due.subject = coalesce(instance_id, volume_id)
    WHERE category IN ('gpu', 'storage') AND (%(tenant)s::bigint IS NULL OR tenant_id = %(tenant)s) GROUP BY 1, 2
)
SELECT coalesce(used.tenant_id, charged.tenant_id), coalesce(used.subject, charged.subject)::text
FROM used FULL JOIN charged USING (subject, run_id)
WHERE coalesce(used.seconds, 0) <> coalesce(charged.seconds, 0) ORDER BY 2 LIMIT %(limit)s
"""

SUMS = {"days": _DAYS, "months": _MONTHS}
CHECKS = SUMS | {
    "amounts": _AMOUNTS,
    "reversals": _REVERSALS,
    "standing_twice": _STANDING_TWICE,
    "periods": _PERIODS,
    "seconds": _SECONDS,
}
"""Name → statement that finds what is wrong, as tenant and what it is about."""

LIMIT = 100
"""Of differences that one check returns."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something in the books that is not as it must be: `about` is a day, a month, a charge, a line, an instance or a volume."""

    check: str
    tenant_id: int
    about: str

    def __str__(self) -> str:
        return f"{self.check}: tenant {self.tenant_id}, {self.about}"


def sums_that_differ(*, tenant_id: int | None = None, month: date | None = None) -> list[Difference]:
    """Compare days with charges and months with days: of one tenant, of one month, or all there are."""
    return _run(SUMS, tenant_id, month)


def books_that_differ(*, tenant_id: int | None = None, month: date | None = None) -> list[Difference]:
    """Run every check that needs charges, usage and sums alone; `sealing` checks what is closed."""
    return _run(CHECKS, tenant_id, month)


def _run(checks: dict[str, str], tenant_id: int | None, month: date | None) -> list[Difference]:
    parameters: dict[str, Any] = {"tenant": tenant_id, "month": month, "limit": LIMIT}
    found: list[Difference] = []
    with connection.cursor() as cursor:
        for name, statement in checks.items():
            cursor.execute(statement, parameters)
            rows: Sequence[tuple[int, str]] = cursor.fetchall()
            found += [Difference(name, tenant, about) for tenant, about in rows]
    return found
