"""What people are told of teams: who comes, goes and changes, and how the tenant stands."""

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from tenants.invitations.tokens import token_of
from tenants.notifications.kind import Category, Channel, Kind


def _engines(tenant_slug: str, _subject: str) -> str:
    return reverse("instances", args=[tenant_slug])


def _team(tenant_slug: str, _subject: str) -> str:
    return reverse("team", args=[tenant_slug])


def _invitation(_tenant_slug: str, subject: str) -> str:
    """Lead to what the mail invites to: `subject` is the invitation's issue, and only this link has its secret."""
    return reverse("invitation", args=[token_of(subject)])


def _home(_tenant_slug: str, _subject: str) -> str:
    return reverse("home")


TEAM_KINDS = (
    Kind(
        name="invitation",
        event="invitation.sent",
        category=Category.SECURITY,
        label=_("Somebody invites you into a tenant"),
        title=_("%(by)s invites you to %(tenant)s"),
        sentence=_(
            "You are invited as %(role)s. The link below works once, until %(ends_at)s, and for this address alone. If you do "
            "not know what this is about, there is nothing to do."
        ),
        link=_invitation,
        example={"by": "anna", "tenant": "Acme Studio", "role": "member", "ends_at": "2027-01-31T18:00:00+00:00"},
        channels=frozenset({Channel.EMAIL}),
    ),
    Kind(
        name="member_joined",
        event="member.joined",
        category=Category.PEOPLE,
        label=_("Somebody accepted an invitation"),
        title=_("%(person)s joined the team"),
        sentence=_("%(person)s accepted the invitation to %(address)s and is %(role)s now."),
        link=_team,
        example={"person": "carol", "address": "carol@example.org", "role": "member"},
    ),
    Kind(
        name="member_added",
        event="member.added",
        category=Category.PEOPLE,
        label=_("You were made a member of a tenant"),
        title=_("You are a member of %(tenant)s now"),
        sentence=_("Your role is %(role)s. It was given to you by %(by)s."),
        link=_engines,
        example={"by": "anna", "tenant": "Acme Studio", "role": "member"},
    ),
    Kind(
        name="role_changed",
        event="member.role_changed",
        category=Category.PEOPLE,
        label=_("Your role changed"),
        title=_("Your role in %(tenant)s changed"),
        sentence=_("%(by)s made you %(role)s. It counts from now on."),
        link=_team,
        example={"by": "anna", "tenant": "Acme Studio", "role": "admin"},
    ),
    Kind(
        name="member_removed",
        event="member.removed",
        category=Category.PEOPLE,
        label=_("You are no longer a member of a tenant"),
        title=_("You are no longer a member of %(tenant)s"),
        sentence=_("%(by)s removed you. Your engines there are paused, and your data is kept for the team."),
        link=_home,
        example={"by": "anna", "tenant": "Acme Studio"},
    ),
    Kind(
        name="member_left",
        event="member.left",
        category=Category.PEOPLE,
        label=_("Somebody left the team"),
        title=_("%(person)s left the team"),
        sentence=_("What they had stays: their engines are paused, and an admin can hand them over."),
        link=_team,
        example={"person": "carol"},
    ),
    Kind(
        name="tenant_suspended",
        event="tenant.suspended",
        category=Category.PORTAL,
        label=_("The tenant was suspended"),
        title=_("%(tenant)s is suspended"),
        sentence=_("An operator says: %(note)s. Engines are paused, nothing is deleted, and members can look only."),
        link=_engines,
        example={"tenant": "Acme Studio", "note": "The bill is not paid"},
    ),
    Kind(
        name="tenant_resumed",
        event="tenant.resumed",
        category=Category.PORTAL,
        label=_("The tenant is no longer suspended"),
        title=_("%(tenant)s is open again"),
        sentence=_("Everybody can work as before. Engines that were paused start when somebody opens them."),
        link=_engines,
        example={"tenant": "Acme Studio"},
    ),
    Kind(
        name="tenant_deletion",
        event="tenant.deletion_asked",
        category=Category.PORTAL,
        label=_("The tenant is to be deleted"),
        title=_("%(tenant)s is to be deleted"),
        sentence=_("%(by)s asked for it. Engines are paused, and all is deleted at %(ends_at)s unless an owner takes it back."),
        link=_team,
        example={"tenant": "Acme Studio", "by": "anna", "ends_at": "2027-01-31T18:00:00+00:00"},
    ),
    Kind(
        name="tenant_kept",
        event="tenant.deletion_taken_back",
        category=Category.PORTAL,
        label=_("The tenant is not deleted after all"),
        title=_("%(tenant)s is not deleted after all"),
        sentence=_("%(by)s took it back. Engines that were paused start when somebody opens them."),
        link=_engines,
        example={"tenant": "Acme Studio", "by": "anna"},
    ),
)
