"""Adding charges to the books. Within an account, `posted_at` and ids are in the order in which postings are committed.

Whoever posts holds the account's lock from before its rows are stamped and numbered until its transaction ends, and each posting
is stamped later than the one before. So all that stands in the books up to the account's `posted_to` stays as it is: what is read
as of that moment, or of an earlier one, is read the same for ever.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import connection

from billing.accounts import lock_accounts
from billing.models import Charge
from billing.rollups import Touched, replace_touched

_COLUMNS = tuple(field.attname for field in Charge._meta.concrete_fields if not field.primary_key)  # noqa: SLF001 - Django's own name
_COPY = f"COPY billing_charge ({', '.join(_COLUMNS)}) FROM STDIN"
_STAMP = """
UPDATE billing_billingaccount AS account SET posted_to = turn.at
FROM unnest(%s::bigint[], %s::timestamptz[]) AS turn (tenant_id, at)
WHERE account.tenant_id = turn.tenant_id
"""
_LEAST = timedelta(microseconds=1)


def post(rows: Collection[Charge]) -> None:
    """Add these rows, none of which is there yet, and work out anew the sums that they touch. Must be within a transaction.

    By COPY: an INSERT of the ORM takes several times as long for hundreds of rows. `posted_at` of the rows is the moment by which
    they were worked out; here it becomes later where the account's last posting was not before that.
    """
    if not rows:
        return
    _take_turn(rows)
    with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for row in rows:
            copy.write_row([getattr(row, column) for column in _COLUMNS])
    replace_touched(Touched.by(rows))


def post_one(row: Charge) -> Charge:
    """Add one row, and return it with its number. Otherwise as `post`."""
    _take_turn([row])
    row.save(force_insert=True)
    replace_touched(Touched.by([row]))
    return row


def _take_turn(rows: Collection[Charge]) -> None:
    """Lock the accounts, in an order that no two can wait for each other in, and stamp the rows."""
    turns: dict[int, datetime] = {}
    for row in rows:
        turns[row.tenant_id] = max(row.posted_at, turns.get(row.tenant_id, row.posted_at))
    for account in lock_accounts(turns.keys()):
        if account.posted_to is not None and account.posted_to >= turns[account.pk]:
            turns[account.pk] = account.posted_to + _LEAST
    with connection.cursor() as cursor:
        cursor.execute(_STAMP, [list(turns), list(turns.values())])
    for row in rows:
        row.posted_at = turns[row.tenant_id]
