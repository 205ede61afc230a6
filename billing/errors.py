"""Refusals of billing's domain; each carries a sentence for the person who asked."""

from tenants.errors import PortalError


class PriceRefused(PortalError):
    """This price cannot be set."""
