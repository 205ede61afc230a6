"""Locks that keep those apart who would otherwise not meet in a row."""

from django.db import connection

_PRICES = 0x61696763
_CAPACITY = 0x61696764
_EXPORTS = 0x61696765


def share_prices() -> None:
    """Hold off price changes until the transaction ends, side by side with others who do so."""
    _execute("SELECT pg_advisory_xact_lock_shared(%s)", _PRICES)


def own_prices() -> None:
    """Wait for all that share the prices, and hold off others, until the transaction ends."""
    _execute("SELECT pg_advisory_xact_lock(%s)", _PRICES)


def own_capacity() -> None:
    """Be the only one to write capacity down until the transaction ends."""
    _execute("SELECT pg_advisory_xact_lock(%s)", _CAPACITY)


def own_exports() -> None:
    """Be the only one to begin writing an export until the transaction ends."""
    _execute("SELECT pg_advisory_xact_lock(%s)", _EXPORTS)


def _execute(statement: str, lock: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, [lock])
