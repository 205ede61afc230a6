"""Wait for a condition, never for a time."""

import time
from collections.abc import Callable

DEADLINE_SECONDS = 20


def wait_until(condition: Callable[[], object], *, seconds: float | None = None, pause: float = 0.02) -> None:
    """Wait for a condition, and fail with its source line if it does not come."""
    deadline = time.monotonic() + (DEADLINE_SECONDS if seconds is None else seconds)
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(pause)
