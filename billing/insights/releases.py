"""What releases for idleness have saved, by a cautious estimate. Pure.

    saved ≈ p · Σ D ÷ 3600

D: seconds of a release, from the end of the run until the engine was started again, or deleted, or the window ended, and only
within the working day of the release (Monday to Friday, 8:00 to 20:00); p: price for an hour. What would have happened otherwise
nobody knows: somebody might have paused it themselves, on leaving at the latest. So nights, weekends and later days are not
claimed, though most engines that are forgotten run through them. A part of what pausing has saved, and never part of a cost.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from billing.insights.stretches import Stretch, within, working_day

METHOD = "until-next-start-within-working-day"
"""Names what is claimed; another way to count has another name."""


@dataclass(frozen=True, slots=True)
class Release:
    """A run that idleness ended; `back_at` is when the engine was started again, or deleted."""

    released_at: datetime
    back_at: datetime | None


@dataclass(frozen=True, slots=True)
class Spared:
    """Releases, and the seconds that are claimed for them."""

    releases: int
    seconds: int


def spared(releases: Iterable[Release], window: Stretch, zone: str) -> Spared:
    """Add up the releases of a window that ends now or before; working days are those of the time zone."""
    claimed = [_seconds(each, window, zone) for each in releases]
    return Spared(len(claimed), sum(claimed))


def _seconds(release: Release, window: Stretch, zone: str) -> int:
    day = working_day(release.released_at, zone)
    if day is None:
        return 0
    until = min(release.back_at or window.ends_at, window.ends_at)
    return sum(each.seconds for each in within([Stretch(release.released_at, until)], day))
