"""What an invitation's link carries. It is derived when the mail is written; the database keeps its digest alone."""

import hashlib

from django.utils.crypto import salted_hmac

_SALT = "tenants.invitations"


def token_of(issue: str) -> str:
    """Return the secret of one issue of an invitation, e.g. of "7f3k2qxbcd-2"; only this installation's key makes it."""
    return salted_hmac(_SALT, issue, algorithm="sha256").hexdigest()


def digest(token: str) -> str:
    """Return what is stored of it, and looked for."""
    return hashlib.sha256(token.encode()).hexdigest()
