"""What writes the books: one function for each thing that a person, a page or the timetable does."""

from billing.accounts import set_budget_owner, set_terms
from billing.auditing import rebuild
from billing.closing import close_period
from billing.due import settle_due, settle_facts
from billing.manual import add_adjustment, add_credit, add_tax
from billing.pricing import set_price, set_storage_price
from billing.quarantine import decide
from billing.settling import settle

__all__ = [
    "add_adjustment",
    "add_credit",
    "add_tax",
    "close_period",
    "decide",
    "rebuild",
    "set_budget_owner",
    "set_price",
    "set_storage_price",
    "set_terms",
    "settle",
    "settle_due",
    "settle_facts",
]
