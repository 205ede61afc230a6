"""The books in the operators' console."""

from billing.admin import books, budgets, capacity

__all__ = ["books", "budgets", "capacity"]
