"""Settings of billing that cannot work."""

import re
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

from billing.metering import BillFrom


def check_policy(**_options: Any) -> list[CheckMessage]:
    """Refuse an unknown moment from which to bill, and what is no currency's code."""
    problems: list[CheckMessage] = []
    if settings.BILL_FROM not in set(BillFrom):
        known = ", ".join(BillFrom)
        problems.append(Error(f"AIGC_BILL_FROM is {settings.BILL_FROM!r}; it may be one of: {known}.", id="billing.E001"))
    if not re.fullmatch(r"[A-Z]{3}", settings.DEFAULT_CURRENCY):
        message = f"AIGC_CURRENCY is {settings.DEFAULT_CURRENCY!r}, which is not the code of a currency."
        problems.append(Error(message, hint="Write three capital letters, as ISO 4217 has them: EUR", id="billing.E002"))
    return problems
