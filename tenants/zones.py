"""A person's time zone, as tzdata knows it today."""

import zoneinfo


def known_zone(name: str) -> zoneinfo.ZoneInfo:
    """Return the zone, or UTC for one that tzdata has dropped since it was chosen."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return zoneinfo.ZoneInfo("UTC")
