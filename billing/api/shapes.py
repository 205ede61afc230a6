"""Money as the API shows it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import Field, PlainSerializer, WithJsonSchema

from aigc_portal.api.schemas import Output
from billing.money import PLACES, Money

Exactly = Annotated[
    datetime,
    PlainSerializer(lambda at: at.astimezone(UTC).isoformat().replace("+00:00", "Z"), return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment to the microsecond, which can be sent back as it came; other moments are told to the millisecond."""


class MoneyOut(Output):
    """An amount, which never loses its currency."""

    amount: str = Field(description="A decimal number, e.g. 0.36.")
    currency: str = Field(description="ISO 4217.")


def money(amount: Money) -> MoneyOut:
    """Return every digit of it."""
    return MoneyOut(amount=amount.plain, currency=amount.currency)


def plain(amount: Decimal) -> str:
    """Return an amount whose currency stands elsewhere: nine decimals, no exponent."""
    return f"{amount:.{PLACES}f}"
