"""When to try again what could not be delivered. Pure."""

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

FIRST = timedelta(seconds=5)
LONGEST = timedelta(hours=12)
LONGEST_ASKED = timedelta(days=1)
FACTOR = 4


def pause_after(attempts: int, *, jitter: float) -> timedelta:
    """Return how long to wait after so many failed attempts (1, 2, …): 5 s, 20 s, 80 s, … at most 12 h, each within a fifth.

    `jitter` is a random number from 0 to 1, so that what failed at once is not tried at once.
    """
    planned = min(FIRST * int(FACTOR ** min(attempts - 1, 10)), LONGEST)
    return planned * (0.8 + 0.4 * jitter)


def asked_pause(retry_after: str, *, now: datetime) -> timedelta:
    """Read a Retry-After header, which is seconds or a date (RFC 9110, 10.2.3); nothing for none, or for what is neither."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        seconds = int(text[:10])
        return min(timedelta(seconds=seconds), LONGEST_ASKED)
    try:
        at = parsedate_to_datetime(text)
        return max(timedelta(0), min(at - now, LONGEST_ASKED)) if at.tzinfo is not None else timedelta(0)
    except (ValueError, OverflowError):  # also of zones no clock has, and moments beyond every calendar
        return timedelta(0)
