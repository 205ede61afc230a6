"""The windows that pages about the recent past offer."""

from django.utils.translation import gettext_lazy as _

USUAL = "30d"
WINDOWS = {"7d": _("7 days"), USUAL: _("30 days"), "month": _("this month"), "lastmonth": _("last month")}
"""What `windows.parse` reads, and how it is called."""


def offered(asked: str) -> str:
    """Return the window that is asked for, or the usual one where that is none of them."""
    return asked if asked in WINDOWS else USUAL


def choices(chosen: str) -> list[tuple[str, str, bool]]:
    """Return each with its name and whether it is the chosen one."""
    return [(name, str(label), name == chosen) for name, label in WINDOWS.items()]
