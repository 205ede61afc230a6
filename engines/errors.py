"""Refusals of the engines' domain; each carries a sentence for the person who asked."""

from tenants.errors import PortalError


class NameTaken(PortalError):
    """Another instance or volume of the tenant has this name."""


class Unavailable(PortalError):
    """The chosen version, GPU class or volume cannot be used now."""


class IllegalTransition(PortalError):
    """The life cycle has no such arrow."""


class StaleState(PortalError):
    """Somebody else moved the instance meanwhile; read again."""
