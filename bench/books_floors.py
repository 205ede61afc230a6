"""What the same questions and changes cost in plain SQL: what the books are measured against."""

import time
import uuid
from datetime import datetime
from typing import Any

from django.db import connection

_MONTHS = "month BETWEEN '2025-11-01' AND '2026-10-01'"
_DAYS = "day BETWEEN '2026-10-01' AND '2026-10-31'"
_SUMS = "sum(seconds), sum(milli_unit_seconds), sum(amount), sum(list_amount), sum(charge_count)"
DASHBOARD = (
    f"""SELECT month, gpu_class_id, category, currency, {_SUMS} FROM billing_monthrollup WHERE {_MONTHS} {{tenant}}
    GROUP BY 1, 2, 3, 4""",
    f"SELECT owner_id, currency, {_SUMS} FROM billing_monthrollup WHERE {_MONTHS} {{tenant}} GROUP BY 1, 2",
    f"SELECT day, gpu_class_id, currency, {_SUMS} FROM billing_dayrollup WHERE {_DAYS} {{tenant}} GROUP BY 1, 2, 3",
    f"SELECT instance_id, currency, {_SUMS} FROM billing_dayrollup WHERE {_DAYS} {{tenant}} GROUP BY 1, 2",
    f"SELECT category, currency, {_SUMS} FROM billing_monthrollup WHERE month = '2026-10-01' {{tenant}} GROUP BY 1, 2",
)
LEDGER = """
SELECT date_trunc('month', day)::date, gpu_class_id, currency, sum(seconds), sum(amount), sum(list_amount) FROM billing_charge
WHERE day BETWEEN '2025-11-01' AND '2026-10-31' GROUP BY 1, 2, 3
"""
SETTLE = """
INSERT INTO billing_charge
    (line_key, revision, kind, category, tenant_id, period_id, is_correction, day, owner_id, instance_id, resource_name, run_id,
     gpu_class_id, storage_class, tag, price_id, currency, starts_at, ends_at, seconds, quantity_milli, per_hour, list_per_hour,
     amount, list_amount, reason, posted_at)
SELECT md5(usage.instance_id || '|' || %(hour)s::text)::uuid, 0, 'original', 'gpu', usage.tenant_id, period.id, false,
    %(hour)s::date, usage.owner_id, usage.instance_id, instance.name, usage.run_id, usage.gpu_class_id, '', '', price.id, 'USD',
    %(hour)s, %(hour)s + interval '1 hour', 3600, usage.quantity_milli, price.per_hour, price.list_per_hour,
    round(price.per_hour * usage.quantity_milli / 1000, 9), round(price.list_per_hour * usage.quantity_milli / 1000, 9), '', now()
FROM billing_usageinterval AS usage
JOIN engines_instance AS instance ON instance.id = usage.instance_id
JOIN billing_price AS price ON price.gpu_class_id = usage.gpu_class_id
JOIN billing_billingperiod AS period ON period.tenant_id = usage.tenant_id AND period.month = date_trunc('month', %(hour)s)::date
WHERE usage.ends_at IS NULL
"""
_OF_DAY = """tenant_id, day, instance_id, volume_id, owner_id, category, gpu_class_id, storage_class, tag, price_id, currency,
    period_id"""
_OF_MONTH = "tenant_id, owner_id, category, gpu_class_id, storage_class, tag, currency, period_id"
_FROM_CHARGES = "sum(seconds), sum(seconds::bigint * quantity_milli), sum(amount), sum(list_amount), count(*)"
_INTO = "seconds, milli_unit_seconds, amount, list_amount, charge_count"
REPLACE = (
    "DELETE FROM billing_dayrollup WHERE day = %(hour)s::date",
    f"""INSERT INTO billing_dayrollup ({_OF_DAY}, {_INTO}) SELECT {_OF_DAY}, {_FROM_CHARGES} FROM billing_charge
    WHERE starts_at >= %(hour)s::date AND starts_at < %(hour)s::date + 1
        AND instance_id IN (SELECT instance_id FROM billing_usageinterval) GROUP BY {_OF_DAY}""",
    "DELETE FROM billing_monthrollup WHERE month = date_trunc('month', %(hour)s)::date",
    f"""INSERT INTO billing_monthrollup (month, {_OF_MONTH}, {_INTO})
    SELECT date_trunc('month', day)::date, {_OF_MONTH}, {_SUMS} FROM billing_dayrollup
    WHERE day >= date_trunc('month', %(hour)s)::date GROUP BY 1, {_OF_MONTH}""",
    "UPDATE billing_meter SET settled_to = %(hour)s + interval '1 hour'",
)
EVERYTHING = (
    f"SELECT {_OF_DAY}, {_FROM_CHARGES} FROM billing_charge GROUP BY {_OF_DAY}",
    f"SELECT date_trunc('month', day)::date, {_OF_MONTH}, {_SUMS} FROM billing_dayrollup GROUP BY 1, {_OF_MONTH}",
)


def dashboard(tenant: int | None) -> None:
    """The five questions of a dashboard, on sums."""
    limit = "" if tenant is None else f"AND tenant_id = {tenant}"
    with connection.cursor() as cursor:
        for statement in DASHBOARD:
            cursor.execute(statement.format(tenant=limit))
            cursor.fetchall()


def ledger() -> None:
    """One of them, on charges."""
    with connection.cursor() as cursor:
        cursor.execute(LEDGER)
        cursor.fetchall()


def settle(hour: datetime, *, with_sums: bool) -> None:
    """Charge one hour of all that runs; `with_sums`: and replace the sums that it touches."""
    with connection.cursor() as cursor:
        for statement in (SETTLE, *(REPLACE if with_sums else ())):
            cursor.execute(statement, {"hour": hour})


def group_everything() -> None:
    """Work all sums out, write them into tables of their own."""
    with connection.cursor() as cursor:
        for number, statement in enumerate(EVERYTHING):
            cursor.execute(f"CREATE TABLE floor_{number} AS {_named(statement)}")
            cursor.execute(f"DROP TABLE floor_{number}")


def _named(statement: str) -> str:
    head, _from, tail = statement.partition(" FROM ")
    sums = _FROM_CHARGES if _FROM_CHARGES in head else _SUMS
    parts = sums.split(", ")
    for number, part in enumerate(parts):
        head = head.replace(part, f"{part} AS s{number}")
    return f"{head} FROM {tail}"


def ingest(count: int) -> float:
    """Facts a second, written one statement each on one connection."""
    row: tuple[Any, ...] = ("00000000-0000-4000-8000-000000000001", "floor", "seen", "cluster", 1, 1, 1, 1)
    statement = """
        INSERT INTO engines_runfact (instance_id, run_id, kind, source, at, observed_at, tenant_id, owner_id, gpu_class_id,
            engine_version_id, quantity_milli, tag)
        VALUES (%s, %s, %s, %s, now(), now(), %s, %s, %s, %s, 1000, '') ON CONFLICT DO NOTHING
    """
    started = time.monotonic()
    with connection.cursor() as cursor:
        for _ in range(count):
            cursor.execute(statement, (row[0], str(uuid.uuid4()), *row[2:]))
    return count / (time.monotonic() - started)
