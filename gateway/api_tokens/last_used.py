"""When a token was last used: written once a minute at most, and never while a request waits."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import timedelta

from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.db.models import Q
from django.utils import timezone

from gateway.models import ApiToken

log = logging.getLogger(__name__)
EVERY_SECONDS = 60.0
REMEMBERED = 10_000


class LastUsed:
    """One per process; the database keeps several processes from writing more often than one would."""

    def __init__(self, executor: Executor, clock: Callable[[], float] = time.monotonic) -> None:
        self.executor = executor
        self.clock = clock
        self._noted: dict[int, float] = {}

    def note(self, token_id: int) -> None:
        """The token was used now; returns at once."""
        now = self.clock()
        if now - self._noted.get(token_id, -EVERY_SECONDS) < EVERY_SECONDS:
            return
        if len(self._noted) >= REMEMBERED:
            self._noted.clear()
        self._noted[token_id] = now
        self.executor.submit(_write, token_id)


def _write(token_id: int) -> None:
    now = timezone.now()
    earlier = Q(last_used_at=None) | Q(last_used_at__lte=now - timedelta(seconds=EVERY_SECONDS))
    try:
        ApiToken.objects.filter(earlier, pk=token_id).update(last_used_at=now)
    except DatabaseError as error:
        log.warning("the last use of an API token was not written down: %s", error)
    finally:
        close_old_connections()
