"""What the pages of a team show."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.db.models.functions import Lower
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from tenants import access
from tenants.access import Action
from tenants.errors import NotVisible
from tenants.invitations.models import Invitation
from tenants.invitations.queries import open_invitations
from tenants.models import Membership, Role, User
from tenants.sign_in.configuration import provider
from tenants.team.operations import may_manage

ROLE_WORDS: dict[str, str | Promise] = {
    Role.OWNER: _("Everything, and alone: makes owners, renames and deletes the tenant."),
    Role.ADMIN: _("Everybody’s engines, members, limits and tokens. Enters an engine only where it is shared."),
    Role.MEMBER: _("Launches engines and works with them and their data."),
    Role.FINANCE: _("Sees everybody’s costs and manages budgets. Launches nothing."),
    Role.VIEWER: _("Sees which engines there are and who is in the team. Launches nothing."),
}
"""What a role may do, in one line each; `tenants.access` decides."""


@dataclass(frozen=True, slots=True)
class RoleRow:
    """A role, its word, and what it may do."""

    value: str
    word: str
    explanation: str


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One member as the reader of the page sees them."""

    member: Membership
    is_self: bool
    is_changeable: bool
    is_removable: bool
    sign_in: list[str]
    """How they sign in; empty where that is not for the reader."""
    provider: str
    """Whose claims gave the membership; empty if it was given by hand."""


@dataclass(frozen=True, slots=True)
class InvitationRow:
    """One invitation that nobody has used yet."""

    invitation: Invitation
    role: str
    manageable: bool
    is_open: bool = True
    """Whether it can be accepted; one that cannot has to be sent again."""


def members_of(reader: Membership) -> list[MemberRow]:
    """Return the members by name, with what the reader may do to each; three queries at most."""
    members = list(Membership.objects.filter(tenant=reader.tenant).select_related("user").order_by(Lower("user__username")))
    acting = [each for each in members if each.user.is_active and not each.user.is_service and each.lapsed_at is None]
    owners = [each for each in acting if each.role == Role.OWNER]
    ways = ways_in([each.user for each in members]) if access.may(reader, Action.MANAGE_MEMBERS) else None
    return [_row(member, reader, ways, is_last_owner=owners == [member]) for member in members]


def member_in(reader: Membership, pk: int) -> Membership:
    """Return one member of the reader's tenant. Raises NotVisible."""
    found = Membership.objects.select_related("user", "tenant").filter(tenant=reader.tenant, pk=pk).first()
    if found is None:
        raise NotVisible(_("There is no such member."))
    return found


def every_role() -> list[RoleRow]:
    """Return the roles, from the one that may most."""
    return [RoleRow(role.value, str(role.label), str(ROLE_WORDS[role])) for role in Role]


def offered_roles(reader: Membership) -> list[RoleRow]:
    """Return the roles that the reader may give."""
    return [row for row in every_role() if may_manage(reader, [row.value])]


def invitations_of(reader: Membership) -> list[InvitationRow]:
    """Return the pending invitations of the reader's tenant, newest first."""
    words = dict(Role.choices)
    pending = reader.tenant.invitations.pending().select_related("invited_by")
    usable = set(open_invitations().filter(tenant=reader.tenant).values_list("pk", flat=True))
    return [InvitationRow(each, str(words[each.role]), may_manage(reader, [each.role]), each.pk in usable) for each in pending]


def invitation_in(reader: Membership, slug: str) -> Invitation:
    """Return one pending invitation of the reader's tenant. Raises NotVisible."""
    found = reader.tenant.invitations.pending().filter(slug=slug).first()
    if found is None:
        raise NotVisible(_("There is no such invitation any more."))
    return found


def invitations_to(user: User) -> list[InvitationRow]:
    """Return the invitations that wait for a person, at addresses that they have proved to be theirs."""
    proved = EmailAddress.objects.filter(user=user, verified=True).values_list(Lower("email"), flat=True)
    waiting = open_invitations().alias(lower=Lower("address")).filter(lower__in=list(proved))
    words = dict(Role.choices)
    found = waiting.select_related("tenant", "invited_by")
    return [InvitationRow(each, str(words[each.role]), manageable=False) for each in found if each.tenant.is_open]


def ways_in(users: Collection[User]) -> Mapping[int, list[str]]:
    """Return how people sign in, by user id: two queries, however many there are."""
    ways: dict[int, list[str]] = {each.pk: [] for each in users}
    for each in users:
        if each.has_usable_password() and (settings.LOCAL_SIGN_IN or each.is_staff):
            ways[each.pk].append(gettext("Password"))
    for user_id, name in SocialAccount.objects.filter(user__in=users).order_by("pk").values_list("user_id", "provider"):
        known = provider(name)
        ways[user_id].append(known.name if known is not None else name)
    factors = Authenticator.objects.filter(user__in=users).exclude(type=Authenticator.Type.RECOVERY_CODES)
    for user_id, kind in factors.order_by("type").values_list("user_id", "type").distinct():
        ways[user_id].append(gettext("Passkey") if kind == Authenticator.Type.WEBAUTHN else gettext("Authenticator app"))
    return ways


def _row(member: Membership, reader: Membership, ways: Mapping[int, list[str]] | None, *, is_last_owner: bool) -> MemberRow:
    is_self = member.user_id == reader.user_id
    manageable = ways is not None and may_manage(reader, [member.role]) and not is_last_owner
    return MemberRow(
        member=member,
        is_self=is_self,
        is_changeable=manageable,
        is_removable=manageable and not is_self,
        sign_in=ways[member.user_id] if ways is not None else [],
        provider=provider_name(member),
    )


def provider_name(member: Membership) -> str:
    """Return the name of the provider whose claims gave the membership, which may change and take it; empty if none did."""
    known = provider(member.provider) if member.provider else None
    return known.name if known is not None else member.provider
