"""Which invitations can be accepted, and what the page behind an invitation's link shows to whom."""

from dataclasses import dataclass
from enum import StrEnum

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from tenants.access import Action, roles_that_may
from tenants.invitations.models import Invitation, InvitationQuerySet
from tenants.invitations.tokens import digest
from tenants.models import Membership, Role, User, acting, open_for_work


class Doorstep(StrEnum):
    """Where somebody stands who opened the link."""

    OVER = "over"  # used, taken back, replaced, run out, or never there: nobody learns which
    CLOSED = "closed"  # the tenant stands still
    NEW = "new"  # no account has the address
    SIGN_IN = "sign_in"  # an account has it
    PROVIDER = "provider"  # no account has it, and accounts come from an organisation's sign-in alone
    OTHER = "other"  # signed in with an account that does not
    LAPSED = "lapsed"  # a member already, for whom their provider vouches no more
    ACCEPT = "accept"


@dataclass(frozen=True, slots=True)
class Step:
    """What to show; the invitation is None only for OVER."""

    kind: Doorstep
    invitation: Invitation | None = None
    role: str = ""


def vouched_for() -> Q:
    """Select invitations that their inviters could write now: operators, and acting members whose role may give the role."""
    inviters = Membership.objects.filter(acting(), tenant=OuterRef("tenant"), user=OuterRef("invited_by"))
    by_owners = Exists(inviters.filter(role__in=roles_that_may(Action.MANAGE_TENANT)))
    by_admins = Exists(inviters.filter(role__in=roles_that_may(Action.MANAGE_MEMBERS))) & ~Q(role=Role.OWNER)
    return Q(invited_by__is_staff=True, invited_by__is_active=True) | by_owners | by_admins


def open_invitations() -> InvitationQuerySet:
    """Return those that can be accepted: used by nobody, not taken back, in time, and still vouched for."""
    return Invitation.objects.pending().filter(vouched_for(), expires_at__gt=timezone.now())


def doorstep_of(token: str, user: AbstractBaseUser | AnonymousUser) -> Step:
    """Say where the person stands. Whoever has the secret reads the mail of the address, and may know of its account."""
    rows = open_invitations().select_related("tenant", "invited_by")
    invitation = rows.filter(token_digest=digest(token), tenant__deleted_at=None).first()
    if invitation is None:
        return Step(Doorstep.OVER)
    role = str(Role(invitation.role).label)
    if not invitation.tenant.is_open:
        return Step(Doorstep.CLOSED, invitation, role)
    if isinstance(user, User):
        return Step(_of_account(user, invitation), invitation, role)
    if _has_account(invitation.address):
        return Step(Doorstep.SIGN_IN, invitation, role)
    return Step(Doorstep.NEW if settings.LOCAL_SIGN_IN else Doorstep.PROVIDER, invitation, role)


def is_invited(address: str) -> bool:
    """Tell whether an invitation to this address can be accepted."""
    return open_invitations().filter(open_for_work("tenant__"), address__iexact=address).exists()


def has_address(user: User, address: str) -> bool:
    """Tell whether the address is one of the account's, verified or not."""
    own = EmailAddress.objects.filter(user=user, email__iexact=address)
    return user.email.casefold() == address.casefold() or own.exists()


def has_lapsed(user: User, invitation: Invitation) -> bool:
    """Tell whether the person is a member there already, by a provider that vouches for them no more."""
    return Membership.objects.filter(user=user, tenant=invitation.tenant_id, lapsed_at__isnull=False).exists()


def _of_account(user: User, invitation: Invitation) -> Doorstep:
    if not has_address(user, invitation.address):
        return Doorstep.OTHER
    return Doorstep.LAPSED if has_lapsed(user, invitation) else Doorstep.ACCEPT


def _has_account(address: str) -> bool:
    known = EmailAddress.objects.filter(email__iexact=address, verified=True)
    return User.objects.filter(email__iexact=address).exists() or known.exists()
