"""Books from before there were periods and sums are given both."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from billing.auditing import verify
from billing.models import BillingPeriod, BillingTerms, Charge, MonthRollup, UsageInterval
from billing.operations import settle
from engines.models import Instance, VolumeFact
from tests.billing.facts import moment, record

BEFORE = [("billing", "0002_append_only"), ("engines", "0011_idle_release")]
START = moment("2026-02-28T23:30:00")


@pytest.mark.django_db(transaction=True)
def test_books_of_before_are_right_afterwards(make_running) -> None:
    instance = make_running()
    record(instance, "ready", START)
    record(instance, "ended", START + timedelta(hours=1))
    settle(instance.pk, now=START + timedelta(hours=2))
    told = list(Charge.objects.order_by("pk").values_list("line_key", "starts_at", "seconds", "amount"))
    columns = (
        "id, line_key, revision, kind, run_id, currency, starts_at, ends_at, seconds, per_hour, amount, posted_at, gpu_class_id"
    )
    columns += ", instance_id, owner_id, tenant_id, price_id"
    with connection.cursor() as cursor:
        cursor.execute("UPDATE engines_volume SET provisioned_at = %s", [START])
        cursor.execute(f"CREATE TABLE kept AS SELECT {columns} FROM billing_charge")
        cursor.execute("TRUNCATE billing_charge, billing_dayrollup, billing_monthrollup, billing_billingperiod CASCADE")
    try:
        MigrationExecutor(connection).migrate(BEFORE)
        with connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO billing_charge ({columns}) SELECT {columns} FROM kept")
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes())
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE kept")
    assert list(Charge.objects.order_by("pk").values_list("line_key", "starts_at", "seconds", "amount")) == told
    assert [(row.label, row.time_zone, row.currency) for row in BillingPeriod.objects.order_by("month")] == [
        ("2026-02", "UTC", "USD"),
        ("2026-03", "UTC", "USD"),
    ]
    assert [row.amount for row in MonthRollup.objects.order_by("month")] == [Decimal("1.25"), Decimal("1.25")]
    assert BillingTerms.objects.get().currency == "USD"
    assert UsageInterval.objects.get().kind == "gpu"
    [fact] = VolumeFact.objects.all()
    assert (fact.kind, fact.at, fact.owner, fact.size_gib) == ("provisioned", START, instance.owner, 50)
    assert verify() == []
    assert settle(Instance.objects.get().pk, now=START + timedelta(hours=2)) == 0
