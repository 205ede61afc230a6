"""The books: what is used, what it costs, what was charged."""

from billing.models.accounts import BillingAccount, BillingTerms
from billing.models.budgets import Budget, BudgetAlert, BudgetPause
from billing.models.capacity import CapacityInterval
from billing.models.charges import Charge
from billing.models.decisions import FactDecision
from billing.models.exports import ExportJob
from billing.models.periods import BillingPeriod
from billing.models.prices import Price
from billing.models.rollups import DayRollup, MonthRollup
from billing.models.usage import FactCursor, Meter, UsageInterval, VolumeMeter

__all__ = [
    "BillingAccount",
    "BillingPeriod",
    "BillingTerms",
    "Budget",
    "BudgetAlert",
    "BudgetPause",
    "CapacityInterval",
    "Charge",
    "DayRollup",
    "ExportJob",
    "FactCursor",
    "FactDecision",
    "Meter",
    "MonthRollup",
    "Price",
    "UsageInterval",
    "VolumeMeter",
]
