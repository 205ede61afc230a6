"""What the page behind an invitation's link shows to whom."""

from dataclasses import dataclass
from enum import StrEnum

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from tenants.invitations.models import Invitation
from tenants.invitations.tokens import digest
from tenants.models import Role, User, open_for_work


class Doorstep(StrEnum):
    """Where somebody stands who opened the link."""

    OVER = "over"  # used, taken back, replaced, run out, or never there: nobody learns which
    CLOSED = "closed"  # the tenant stands still
    NEW = "new"  # no account has the address
    SIGN_IN = "sign_in"  # an account has it
    PROVIDER = "provider"  # no account has it, and accounts come from an organisation's sign-in alone
    OTHER = "other"  # signed in with an account that does not
    ACCEPT = "accept"


@dataclass(frozen=True, slots=True)
class Step:
    """What to show; the invitation is None only for OVER."""

    kind: Doorstep
    invitation: Invitation | None = None
    role: str = ""


def doorstep_of(token: str, user: AbstractBaseUser | AnonymousUser) -> Step:
    """Say where the person stands. Whoever has the secret reads the mail of the address, and may know of its account."""
    rows = Invitation.objects.open(timezone.now()).select_related("tenant", "invited_by")
    invitation = rows.filter(token_digest=digest(token), tenant__deleted_at=None).first()
    if invitation is None:
        return Step(Doorstep.OVER)
    role = str(Role(invitation.role).label)
    if not invitation.tenant.is_open:
        return Step(Doorstep.CLOSED, invitation, role)
    if isinstance(user, User):
        return Step(Doorstep.ACCEPT if has_address(user, invitation.address) else Doorstep.OTHER, invitation, role)
    if _has_account(invitation.address):
        return Step(Doorstep.SIGN_IN, invitation, role)
    return Step(Doorstep.NEW if settings.LOCAL_SIGN_IN else Doorstep.PROVIDER, invitation, role)


def is_invited(address: str) -> bool:
    """Tell whether an invitation to this address can be accepted."""
    waiting = Invitation.objects.open(timezone.now()).filter(address__iexact=address)
    return waiting.filter(open_for_work("tenant__")).exists()


def has_address(user: User, address: str) -> bool:
    """Tell whether the address is one of the account's, verified or not."""
    own = EmailAddress.objects.filter(user=user, email__iexact=address)
    return user.email.casefold() == address.casefold() or own.exists()


def _has_account(address: str) -> bool:
    known = EmailAddress.objects.filter(email__iexact=address, verified=True)
    return User.objects.filter(email__iexact=address).exists() or known.exists()
