"""How many workers deliver at a time: slow receivers must not take them all. Valkey has `<prefix>:deliver:<n>` while one does."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.conf import settings
from redis.exceptions import LockError

from aigc_portal.valkey import valkey

ROUNDS = 2
LONGEST_SECONDS = 300
"""More than a round and its last attempt take; a worker that died holds its place for no longer."""


@contextmanager
def a_round() -> Iterator[bool]:
    """Yield whether there is room for one more; what comes in vain is found by those who deliver, or by the next round."""
    locks = (valkey().lock(f"{settings.REDIS_PREFIX}:deliver:{number}", timeout=LONGEST_SECONDS) for number in range(ROUNDS))
    mine = next((lock for lock in locks if lock.acquire(blocking=False)), None)
    try:
        yield mine is not None
    finally:
        if mine is not None:
            with suppress(LockError):  # it took so long that somebody else has the place
                mine.release()
