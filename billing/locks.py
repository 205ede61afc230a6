"""Locks that keep settling and price changes apart."""

from django.db import connection

_PRICES = 0x61696763


def share_prices() -> None:
    """Hold off price changes until the transaction ends, side by side with others who do so."""
    _execute("SELECT pg_advisory_xact_lock_shared(%s)")


def own_prices() -> None:
    """Wait for all that share the prices, and hold off others, until the transaction ends."""
    _execute("SELECT pg_advisory_xact_lock(%s)")


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, [_PRICES])
