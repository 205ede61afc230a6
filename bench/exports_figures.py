"""`python -m bench.exports_figures [TENANTS]` beside empty services: measure exports, print figures as JSON on the last line.

One tenant gets the charges of so many (ten: a million), another those of one. Each file is written by a process of its own, whose
memory is what it took.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import django

django.setup()

from django.core.management import call_command  # noqa: E402 - needs the settings
from django.db import connection  # noqa: E402

from bench import books_data  # noqa: E402
from bench.figures import Figure  # noqa: E402
from billing.models import Charge  # noqa: E402
from billing.rollups import fill_all  # noqa: E402

RUNS = 3
BIG = 1
MERGE = """
UPDATE billing_charge AS charge SET tenant_id = {big}, period_id = theirs.id
FROM billing_billingperiod AS period, billing_billingperiod AS theirs
WHERE charge.period_id = period.id AND period.tenant_id <= {tenants} AND theirs.tenant_id = {big} AND theirs.month = period.month
"""
FLOOR = "COPY (SELECT * FROM billing_charge WHERE tenant_id = {tenant}) TO STDOUT"


def main(tenants: int) -> None:
    """Fill the books, and write files of them in turn."""
    call_command("migrate", verbosity=0)
    books_data.prepare()
    small = tenants + 1
    books_data.fill(0, tenants)
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(MERGE.format(big=BIG, tenants=tenants))
        cursor.execute("TRUNCATE billing_dayrollup, billing_monthrollup")
        fill_all(cursor, None)
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("VACUUM FULL ANALYZE billing_charge")
    lines = Charge.objects.filter(tenant=BIG).count()
    say(f"{lines:,} lines, and {Charge.objects.filter(tenant=small).count():,}")
    rounds = [one_round(small) for _ in range(RUNS)]
    print(json.dumps([asdict(figure) for figure in figures(rounds, lines)]))


def one_round(small: int) -> dict[str, float]:
    """Everything once, one after the other."""
    found = {"floor": timed(floor)}
    focus, few = written(BIG, "stream"), written(small, "stream")
    csv, xlsx, few_xlsx = written(BIG, "csv"), written(BIG, "xlsx"), written(small, "xlsx")
    found |= {"focus": focus["seconds"], "first": focus["first_ms"], "memory": focus["rss_mib"], "few": few["rss_mib"]}
    found |= {"csv": csv["seconds"], "xlsx": xlsx["seconds"], "xlsx_memory": xlsx["rss_mib"], "xlsx_few": few_xlsx["rss_mib"]}
    say(f"{found}")
    return found


def figures(rounds: list[dict[str, float]], lines: int) -> list[Figure]:
    """Medians of the rounds; memory at its worst."""
    median = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
    grown = max(each["memory"] - each["few"] for each in rounds)
    xlsx_grown = max(each["xlsx_memory"] - each["xlsx_few"] for each in rounds)
    what = f"exports: {lines / 1e6:.1f} M lines"
    return [
        Figure(f"{what}, FOCUS", median["focus"], "s", median["floor"], "≤ 4.00 × floor", median["focus"] <= 4 * median["floor"]),
        Figure(f"{what}, first byte", median["first"], "ms", 0, "≤ 300 ms", median["first"] <= 300),
        Figure(f"{what}, memory beside a tenth", grown, "MiB", 0, "≤ 10 MiB", grown <= 10),
        Figure(f"{what}, workbook", median["xlsx"], "s", median["csv"], "≤ 3.00 × floor", median["xlsx"] <= 3 * median["csv"]),
        Figure(f"{what}, workbook’s memory beside a tenth", xlsx_grown, "MiB", 0, "≤ 10 MiB", xlsx_grown <= 10),
    ]


def floor() -> None:
    """Copy the charges as they lie there."""
    connection.ensure_connection()
    with connection.connection.cursor() as cursor, cursor.copy(FLOOR.format(tenant=BIG)) as copy:
        for _row in copy:
            pass


def written(tenant: int, what: str) -> dict[str, Any]:
    """Have a process of its own write a file; return what it says."""
    command = [sys.executable, "-m", "bench.exports_writer", f"{tenant}", what]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=600, check=True)
    return dict(json.loads(run.stdout.splitlines()[-1]))


def timed(work: Callable[[], None]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
