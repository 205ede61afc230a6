"""Settings of billing that cannot work."""

import re
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

from billing.metering import BillFrom


def check_settings(**_options: Any) -> list[CheckMessage]:
    """Refuse an unknown policy and a currency that is no ISO 4217 code."""
    errors: list[CheckMessage] = []
    if settings.BILL_FROM not in set(BillFrom):
        known = " or ".join(BillFrom)
        errors.append(Error(f"AIGC_BILL_FROM is {settings.BILL_FROM!r}; it may be {known}.", id="billing.E001"))
    if not re.fullmatch("[A-Z]{3}", settings.DEFAULT_CURRENCY):
        errors.append(Error(f"AIGC_CURRENCY is {settings.DEFAULT_CURRENCY!r}; it is a code like USD.", id="billing.E002"))
    return errors
