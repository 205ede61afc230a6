"""Inviting people by e-mail, and accepting it.

The link's secret proves that whoever opens it reads the mail of the invited address; the account that accepts must have that
address. Nobody who invites learns whether an address has an account: what happens is the same.
"""

from datetime import timedelta

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from tenants.audit.operations import Subject, record
from tenants.errors import NotAllowed, NotPossible, NotVisible, QuotaExceeded
from tenants.invitations.models import Invitation
from tenants.invitations.queries import has_address, has_lapsed, open_invitations
from tenants.invitations.tokens import digest, token_of
from tenants.models import Membership, Role, Tenant, User
from tenants.notifications.models import Delivery
from tenants.notifications.operations import notify, withdraw, write_to
from tenants.team.locks import lock_for, lock_tenant
from tenants.team.operations import about, admins_of, join, require_manage

MAILS_PER_ADDRESS = 3
"""How often a tenant may write to one address within a day."""
DAY = timedelta(days=1)


class Unusable(NotPossible):
    """An invitation that has been used, taken back or replaced, whose time is over, or whose inviter may no longer invite."""


class NotYours(NotAllowed):
    """An invitation that is not for the account: to another address, or in vain for one that has lapsed there."""


@transaction.atomic
def invite(*, address: str, role: str, by: Membership) -> Invitation:
    """Write to an address that its reader may become a member. Raises NotAllowed, NotPossible, QuotaExceeded."""
    address, role = User.objects.normalize_email(address.strip()), Role(role)
    by = lock_for(by)
    require_manage(by, role)
    if Membership.objects.filter(tenant=by.tenant, user__email__iexact=address).exists():
        raise NotPossible(_("%(address)s belongs to a member of %(tenant)s.") % {"address": address, "tenant": by.tenant})
    if by.tenant.invitations.pending().filter(address__iexact=address).exists():
        raise NotPossible(_("%(address)s is invited already. Send that invitation again.") % {"address": address})
    invitation = Invitation(tenant=by.tenant, address=address, role=role)
    record("invitation.sent", actor=by.user, tenant=by.tenant, subject=_about(invitation), details={"role": role.value})
    _issue(invitation, by)
    return invitation


@transaction.atomic
def resend(*, invitation: Invitation, by: Membership) -> None:
    """Write once more, as one's own invitation, with a new link and a new time; the old link ends. Raises as invite does."""
    by = lock_for(by)
    invitation = _pending(invitation, by.tenant)
    require_manage(by, invitation.role)
    withdraw(tenant=by.tenant, kind="invitation", subject=invitation.issue)
    record("invitation.sent_again", actor=by.user, tenant=by.tenant, subject=_about(invitation))
    _issue(invitation, by)


@transaction.atomic
def revoke(*, invitation: Invitation, by: Membership) -> None:
    """Take an invitation back: its link ends, and what has not left yet stays. Raises NotAllowed, NotVisible."""
    by = lock_for(by)
    invitation = _pending(invitation, by.tenant)
    require_manage(by, invitation.role)
    Invitation.objects.filter(pk=invitation.pk).update(revoked_at=timezone.now())
    withdraw(tenant=by.tenant, kind="invitation", subject=invitation.issue)
    record("invitation.revoked", actor=by.user, tenant=by.tenant, subject=_about(invitation))


@transaction.atomic
def accept_by_token(*, token: str, user: User) -> Membership:
    """Become a member by the link: it proves the address, which is verified with it. Raises Unusable, NotYours."""
    invitation = _locked(token_digest=digest(token))
    if not has_address(user, invitation.address):
        raise NotYours(_("This invitation is for %(address)s.") % {"address": invitation.address})
    verify_address(user, invitation.address)
    return _accept(invitation, user)


@transaction.atomic
def accept_as_verified(*, slug: str, user: User) -> Membership:
    """Become a member without the link, whose address the account has proved before. Raises Unusable, NotVisible."""
    invitation = _locked(slug=slug)
    if not EmailAddress.objects.filter(user=user, verified=True, email__iexact=invitation.address).exists():
        raise NotVisible(_("There is nothing here, or it is not yours."))
    return _accept(invitation, user)


@transaction.atomic
def make_account(*, token: str, username: str, password: str) -> tuple[User, Membership]:
    """Make an account for the invited address, which the link proves, and accept. Raises Unusable, NotPossible."""
    if not settings.LOCAL_SIGN_IN:
        raise NotPossible(_("Sign in with your organisation’s account."))
    invitation = _locked(token_digest=digest(token))
    user = User(username=username, email=invitation.address, language=get_language() or "")
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError as error:
        raise NotPossible(_("There is such an account already: sign in, or choose another name.")) from error
    verify_address(user, invitation.address)
    record("account.created", actor=user, tenant=invitation.tenant, subject=about(user))
    return user, _accept(invitation, user)


def verify_address(user: User, address: str) -> None:
    """Note that the person reads the mail of an address of theirs."""
    known = EmailAddress.objects.filter(user=user, email__iexact=address)
    if not known.update(verified=True):
        primary = not EmailAddress.objects.filter(user=user, primary=True).exists()
        EmailAddress.objects.create(user=user, email=address.lower(), verified=True, primary=primary)


def _issue(invitation: Invitation, by: Membership) -> None:
    """Give the invitation a new link, and have it mailed."""
    now = timezone.now()
    _require_room(invitation, by)
    invitation.issues += 1
    invitation.invited_by = by.user
    invitation.issued_at, invitation.expires_at = now, now + timedelta(days=settings.INVITATION_DAYS)
    invitation.token_digest = digest(token_of(invitation.issue))
    invitation.save()
    write_to(
        invitation.address,
        tenant=by.tenant,
        kind="invitation",
        key=invitation.issue,
        subject=invitation.issue,
        context={
            "by": str(by.user),
            "tenant": by.tenant.name,
            "role": invitation.role,
            "ends_at": invitation.expires_at.isoformat(),
        },
        language=by.user.language,
    )


def _require_room(invitation: Invitation, by: Membership) -> None:
    """Refuse what would be mass mail; counted under the lock of the tenant."""
    mails = Delivery.objects.filter(notification__tenant=by.tenant, notification__kind="invitation")
    lately = mails.filter(notification__created_at__gt=timezone.now() - DAY)
    limit = settings.INVITATIONS_PER_DAY
    if lately.count() >= limit:
        raise QuotaExceeded(
            _("%(tenant)s has sent %(limit)d invitations within a day, which is the limit. Go on tomorrow, or ask an operator.")
            % {"tenant": by.tenant, "limit": limit}
        )
    if lately.filter(address__iexact=invitation.address).count() >= MAILS_PER_ADDRESS:
        raise QuotaExceeded(
            _("%(address)s has been written to %(limit)d times within a day. Try again tomorrow.")
            % {"address": invitation.address, "limit": MAILS_PER_ADDRESS}
        )


def _pending(invitation: Invitation, tenant: Tenant) -> Invitation:
    """Read an invitation again under the tenant's lock; NotVisible for one that is not pending there."""
    found = Invitation.objects.pending().filter(pk=invitation.pk, tenant=tenant).first()
    if found is None:
        raise NotVisible(_("There is no such invitation any more."))
    found.tenant = tenant
    return found


def _locked(**wanted: str) -> Invitation:
    """Lock the tenant of the invitation that is looked for, then read it; Unusable if it cannot be accepted any more."""
    found = Invitation.objects.filter(**wanted, tenant__deleted_at=None)
    tenant_id = found.values_list("tenant_id", flat=True).first()
    tenant = lock_tenant(tenant_id) if tenant_id is not None else None
    invitation = open_invitations().filter(**wanted, tenant=tenant).first() if tenant is not None else None
    if invitation is None or tenant is None:
        raise Unusable(_("This invitation cannot be used any more. Ask whoever invited you for another one."))
    if not tenant.is_open:
        raise NotPossible(_("%(tenant)s takes in nobody at the moment. Try again later.") % {"tenant": tenant})
    invitation.tenant = tenant
    return invitation


def _accept(invitation: Invitation, user: User) -> Membership:
    """Use the locked invitation up."""
    if not user.is_active:
        raise NotYours(_("This account is disabled."))
    if has_lapsed(user, invitation):
        raise NotYours(
            _("You belong to %(tenant)s by your organisation’s sign-in. Sign in with it again to go on.")
            % {"tenant": invitation.tenant}
        )
    member = Membership.objects.filter(tenant=invitation.tenant, user=user).first()
    is_new = member is None
    member = member or join(user=user, tenant=invitation.tenant, role=invitation.role)
    Invitation.objects.filter(pk=invitation.pk).update(accepted_at=timezone.now(), accepted_by=user)
    record("invitation.accepted", actor=user, tenant=invitation.tenant, subject=_about(invitation), details={"role": member.role})
    if is_new:
        notify(
            tenant=invitation.tenant,
            kind="member_joined",
            recipients=[each for each in admins_of(invitation.tenant) if each != user],
            key=invitation.slug,
            context={"person": str(user), "address": invitation.address, "role": member.role},
        )
    return member


def _about(invitation: Invitation) -> Subject:
    return Subject("invitation", invitation.slug, invitation.address)
