"""`python -m bench.books_figures` beside empty services: measure the books, print figures as JSON on the last line."""

import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import django

django.setup()

from django.core.management import call_command  # noqa: E402 - needs the settings
from django.db import connection, transaction  # noqa: E402
from django.db.models import Q  # noqa: E402

from aigc_portal.loading import load_views  # noqa: E402
from bench import books_data, books_floors  # noqa: E402
from bench.books_asking import asking  # noqa: E402
from bench.figures import Figure, percentile  # noqa: E402
from billing import sums  # noqa: E402
from billing.auditing import rebuild  # noqa: E402
from billing.due import settle_due  # noqa: E402
from billing.models import Charge, Meter, UsageInterval  # noqa: E402
from billing.periods import Month  # noqa: E402
from billing.queries import snapshot  # noqa: E402
from engines.clusters.base import Observation, Phase  # noqa: E402
from engines.clusters.names import workload_name  # noqa: E402
from engines.facts import record_facts  # noqa: E402
from engines.models import Instance, RunFact  # noqa: E402

RUNS = 15
FIRST, LAST = Month(2025, 11), Month(2026, 10)
LAST_DAY = date(2026, 10, 31)
DAYS_31 = (LAST_DAY - timedelta(days=30), LAST_DAY)
SETTLED = datetime(2026, 11, 2, 9, tzinfo=UTC)


def main() -> None:
    """Few books first, then many; in a process that is prepared as the portal's own are."""
    load_views()
    call_command("migrate", verbosity=0)
    say("making places …")
    books_data.prepare()
    say("charging a year to five tenants …")
    few = books_data.fill(1, 5)
    small = [timed(lambda: dashboard(Q(tenant=2))) for _ in range(RUNS)]
    say(f"{few:,} charges; charging a year to all …")
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE billing_charge, billing_dayrollup, billing_monthrollup")
    many = books_data.fill(0, books_data.TENANTS - 1)
    say(f"{many:,} charges")
    figures = dashboards(small, few, many)
    say("asking …")
    figures += asking(timed)
    figures += settling()
    figures += ingesting()
    figures += rebuilding()
    print(json.dumps([asdict(figure) for figure in figures]))


def dashboards(small: list[float], few: int, many: int) -> list[Figure]:
    """The same five questions: through the product, as SQL on sums, and as SQL on charges."""
    ours: dict[str, list[float]] = {"all": [], "one": []}
    floors: dict[str, list[float]] = {"all": [], "one": []}
    scopes = {"all": (Q(), None), "one": (Q(tenant=2), 2)}
    for name, (scope, tenant) in scopes.items():
        for number in range(RUNS + 1):
            floor = timed(lambda: in_snapshot(lambda: books_floors.dashboard(tenant)))  # noqa: B023
            value = timed(lambda: dashboard(scope))  # noqa: B023
            if number:
                floors[name].append(floor)
                ours[name].append(value)
    raw = min(timed(books_floors.ledger) for _ in range(3))
    by_month = statistics.median(timed(lambda: sums.by_month(Q(), FIRST, LAST, by=("month", "gpu_class"))) for _ in range(RUNS))
    figures = [
        judged(f"books: 12-month dashboard, {name} tenant(s), median", ours[name], floors[name], 1.5) for name in ("all", "one")
    ]
    slowest = percentile(ours["all"], 0.95)
    figures.append(Figure("books: 12-month dashboard, all tenants, p95", slowest, "ms", 0, "≤ 100 ms", slowest <= 100))
    figures.append(
        Figure(f"books: cost by month and class of {many:,} charges", by_month, "ms", raw, "≤ 0.05 × floor", by_month <= raw / 20)
    )
    before, after = statistics.median(small), statistics.median(ours["one"])
    figures.append(
        Figure(
            f"books: one tenant's dashboard, {few:,} to {many:,}", after, "ms", before, "≤ 1.30 × floor", after <= 1.3 * before
        )
    )
    return figures


def in_snapshot(work: Callable[[], None]) -> None:
    """As pages do: several questions to one state of the books."""
    with snapshot():
        work()


def dashboard(scope: Q) -> None:
    """The five sums of a dashboard over twelve months, from one snapshot."""
    with snapshot():
        sums.by_month(scope, FIRST, LAST, by=("month", "gpu_class", "category"))
        sums.by_month(scope, FIRST, LAST, by=("owner",))
        sums.by_day(scope, *DAYS_31, by=("day", "gpu_class"))
        sums.by_day(scope, *DAYS_31, by=("instance",))
        sums.by_month(scope, LAST, LAST, by=("category",))


def settling() -> list[Figure]:
    """One more hour of everything that runs, again and again, in turn with one statement that posts the same."""
    say("settling …")
    Meter.objects.bulk_create(Meter(instance=each, settled_to=SETTLED) for each in Instance.objects.all())
    UsageInterval.objects.bulk_create(
        UsageInterval(
            instance=each,
            run_id="now",
            tenant_id=each.tenant_id,
            owner_id=each.owner_id,
            gpu_class_id=each.gpu_class_id,
            starts_at=SETTLED - timedelta(hours=1),
        )
        for each in Instance.objects.all()
    )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    ours, floors, plain, again = [], [], [], []
    for number in range(6):
        hour = SETTLED + timedelta(hours=number)
        floors.append(timed(lambda: rolled_back(lambda: books_floors.settle(hour, with_sums=True))))  # noqa: B023
        plain.append(timed(lambda: rolled_back(lambda: books_floors.settle(hour, with_sums=False))))  # noqa: B023
        now, before = hour + timedelta(hours=1, minutes=10), Charge.objects.count()
        ours.append(timed(lambda: settle_due(now=now)))  # noqa: B023
        assert Charge.objects.count() - before == books_data.INSTANCES
        again.append(settle_due(now=now))
    value, floor = statistics.median(ours[1:]), statistics.median(floors[1:])
    return [
        judged("books: settle an hour of 2,600 instances", ours[1:], floors[1:], 3),
        Figure("books: the same, beside INSERT … SELECT without sums", value, "ms", statistics.median(plain[1:])),
        Figure("books: rows posted by settling again", sum(again), "rows", 0, "≤ 0 rows", not any(again) and floor > 0),
    ]


def rolled_back(work: Callable[[], None]) -> None:
    """Do it, and leave no trace; what is deferred to the commit is done too."""
    with transaction.atomic():
        work()
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        transaction.set_rollback(True)


def ingesting() -> list[Figure]:
    """Runs that began, were ready and are seen: what the watcher writes of each look, in a transaction of its own."""
    say("ingesting …")
    instances = list(Instance.objects.select_related("gpu_class")[:500])
    before, started = RunFact.objects.count(), time.monotonic()
    for number, instance in enumerate(instances):
        at = SETTLED + timedelta(seconds=number)
        seen = Observation(
            name=workload_name(instance.slug),
            phase=Phase.READY,
            observed_at=at + timedelta(minutes=6),
            run_id=f"run-{instance.slug}",
            started_at=at - timedelta(minutes=1),
            launched_at=at - timedelta(seconds=30),
            ready_at=at,
        )
        with transaction.atomic():
            record_facts(instance, seen)
    seconds = time.monotonic() - started
    facts = RunFact.objects.count() - before
    assert facts == 4 * len(instances)
    floor = books_floors.ingest(facts)
    rate = facts / seconds
    return [Figure("books: facts written of what is seen", rate, "facts/s", floor, "≥ 2,000 facts/s", rate >= 2000)]


def rebuilding() -> list[Figure]:
    """All sums anew, with their indexes and foreign keys, beside the GROUP BY alone. It informs: nobody waits for it."""
    say("rebuilding …")
    floor = timed(books_floors.group_everything)
    return [Figure("books: make all sums anew", timed(rebuild), "ms", floor)]


def judged(name: str, ours: list[float], floors: list[float], most: float) -> Figure:
    """Compare medians, in milliseconds."""
    value, floor = statistics.median(ours), statistics.median(floors)
    return Figure(name, value, "ms", floor, f"≤ {most:.2f} × floor", value <= most * floor)


def timed(work: Callable[[], Any]) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
