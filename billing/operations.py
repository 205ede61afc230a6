"""What writes the books: one function for each thing that a person, a page or the timetable does."""

from billing.accounts import set_budget_owner, set_terms
from billing.due import settle_due
from billing.pricing import set_price
from billing.settling import settle

__all__ = ["set_budget_owner", "set_price", "set_terms", "settle", "settle_due"]
