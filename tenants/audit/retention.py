"""What is old enough leaves the audit log: by a function of the database, the only door that its trigger leaves open."""

from datetime import datetime

from django.db import connection, transaction

from tenants.audit.operations import record

BATCH = 5_000


def forget_older_than(moment: datetime, *, batch: int = BATCH) -> int:
    """Delete events that are older, a batch in each transaction, and record that; return how many.

    What is younger than 30 days the database keeps, whatever is asked.
    Two that run at once share the work: each skips the rows that the other one has.
    """
    total = 0
    while count := _forget_batch(moment, batch):
        total += count
    return total


@transaction.atomic
def _forget_batch(moment: datetime, batch: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT forget_audit_events(%s, %s)", [moment, batch])
        count = int(cursor.fetchone()[0])
    if count:
        record("audit.forgotten", actor=None, details={"before": moment.isoformat(), "count": count})
    return count
