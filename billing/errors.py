"""Refusals of billing's domain; each carries a sentence for the person who asked."""

from tenants.errors import PortalError


class PriceRefused(PortalError):
    """This price cannot be set."""


class BudgetReached(PortalError):
    """A budget leaves no room for this run."""


class BudgetRefused(PortalError):
    """The budget cannot be as it is asked for."""


class TermsRefused(PortalError):
    """The account cannot have these terms."""


class ClosingRefused(PortalError):
    """The period cannot be closed now."""


class DecisionRefused(PortalError):
    """It cannot be decided whether this fact counts."""


class PostingRefused(PortalError):
    """This credit, adjustment or tax cannot be posted."""


class ExportRefused(PortalError):
    """These costs cannot be had as a file; `field` names what is wrong with what was asked, if it is one thing."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field
