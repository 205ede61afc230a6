"""A person's time zone, as tzdata knows it today."""

import zoneinfo

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _


def known_zone(name: str) -> zoneinfo.ZoneInfo:
    """Return the zone, or UTC for one that tzdata has dropped since it was chosen."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return zoneinfo.ZoneInfo("UTC")


def validate_zone(name: str) -> None:
    """Refuse, in a form or a model, what is no IANA name."""
    if name not in zoneinfo.available_timezones():
        raise ValidationError(_("“%(name)s” is no time zone. Choose an IANA name, e.g. Europe/Berlin.") % {"name": name})
