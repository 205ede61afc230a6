"""The books in the operators' console."""

from billing.admin import books, budgets, capacity, doubts

__all__ = ["books", "budgets", "capacity", "doubts"]
