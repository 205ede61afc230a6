"""Refusals in the words of the domain; each carries a sentence for the person who asked."""


class PortalError(Exception):
    """A wish that cannot be granted, said in plain words."""


class NotVisible(PortalError):
    """The thing does not exist, or not for this person: nobody learns which."""


class NotAllowed(PortalError):
    """The person sees the thing but may not do this with it."""


class QuotaExceeded(PortalError):
    """A limit of the tenant is reached; the sentence says which, how much of it, and who can raise it."""


class NotPossible(PortalError):
    """What is asked does not fit how things are: the sentence says what to do instead."""
