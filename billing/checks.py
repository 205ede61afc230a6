"""Settings of billing that cannot work."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

from billing.metering import BillFrom


def check_policy(**_options: Any) -> list[CheckMessage]:
    """Refuse an unknown moment from which to bill."""
    if settings.BILL_FROM in set(BillFrom):
        return []
    known = " or ".join(BillFrom)
    return [Error(f"AIGC_BILL_FROM is {settings.BILL_FROM!r}; it may be {known}.", id="billing.E001")]
