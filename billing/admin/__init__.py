"""The books in the operators' console."""

from billing.admin import books, capacity

__all__ = ["books", "capacity"]
