"""Time as the API writes it."""

from datetime import UTC, datetime, timedelta


def now() -> str:
    """Whole seconds, as metav1.Time: `2026-11-22T07:45:33Z`."""
    return stamp(datetime.now(UTC))


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def precise() -> str:
    """Microseconds, as metav1.MicroTime."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def later(seconds: float) -> str:
    return stamp(datetime.now(UTC) + timedelta(seconds=seconds))


def parse(text: str) -> datetime:
    """Read a moment with or without a fraction of up to nine digits."""
    head, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(head + (f".{fraction[:6]:0<6}" if fraction else "")).replace(tzinfo=UTC)
