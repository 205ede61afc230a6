"""Money as the API shows it."""

from pydantic import Field

from aigc_portal.api.schemas import Output
from billing.money import Money


class MoneyOut(Output):
    """An amount, which never loses its currency."""

    amount: str = Field(description="A decimal number, e.g. 0.36.")
    currency: str = Field(description="ISO 4217.")


def money(amount: Money) -> MoneyOut:
    """Return every digit of it."""
    return MoneyOut(amount=amount.plain, currency=amount.currency)
