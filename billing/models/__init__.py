"""The books: what is used, what it costs, what was charged."""

from billing.models.charges import Charge
from billing.models.prices import Price
from billing.models.usage import FactCursor, Meter, UsageInterval

__all__ = ["Charge", "FactCursor", "Meter", "Price", "UsageInterval"]
