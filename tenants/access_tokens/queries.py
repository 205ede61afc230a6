"""Access tokens as pages and the API show them, and as requests bring them."""

from datetime import timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from aigc_portal.token_secrets import digest
from tenants import access
from tenants.access import Action
from tenants.access_tokens.models import AccessToken
from tenants.errors import NotVisible
from tenants.models import Membership, User

ENDED_SHOWN = timedelta(days=30)
USE_WRITTEN_EVERY = timedelta(minutes=1)


def live_token(secret: str) -> AccessToken | None:
    """Return the token with its user, unless it is unknown or has ended; one query."""
    return AccessToken.objects.live().select_related("user", "tenant").filter(digest=digest(secret)).first()


def note_use(token: AccessToken) -> None:
    """Write down that the token was used, once a minute at most, however many requests there are."""
    now = timezone.now()
    earlier = now - USE_WRITTEN_EVERY
    if token.last_used_at is None or token.last_used_at <= earlier:
        unnoted = Q(last_used_at=None) | Q(last_used_at__lte=earlier)
        AccessToken.objects.filter(unnoted, pk=token.pk).update(last_used_at=now)


def own_tokens(user: User) -> QuerySet[AccessToken]:
    """Return the person's own tokens that live or ended lately, newest first."""
    return _shown(AccessToken.objects.filter(kind=AccessToken.Kind.PERSONAL, user=user))


def tokens_in(membership: Membership) -> QuerySet[AccessToken]:
    """Return the member's own tokens for the tenant; for who manages tokens, everybody's that are bound to it."""
    bound = AccessToken.objects.filter(tenant_id=membership.tenant_id)
    if not access.may(membership, Action.MANAGE_TOKENS):
        bound = bound.filter(kind=AccessToken.Kind.PERSONAL, user_id=membership.user_id)
    return _shown(bound)


def shown_tokens(membership: Membership) -> QuerySet[AccessToken]:
    """Return what the member's page lists: `tokens_in`, and their own for all tenants."""
    own = AccessToken.objects.filter(kind=AccessToken.Kind.PERSONAL, user_id=membership.user_id, tenant=None)
    bound = tokens_in(membership).values("pk").order_by()
    return _shown(AccessToken.objects.filter(Q(pk__in=bound) | Q(pk__in=own.values("pk"))))


def shown_token(membership: Membership, key_id: str) -> AccessToken:
    """Return one of `shown_tokens`, or NotVisible."""
    return one_of(shown_tokens(membership), key_id)


def token_in(membership: Membership, key_id: str) -> AccessToken:
    """Return one of `tokens_in`, or NotVisible."""
    return one_of(tokens_in(membership), key_id)


def _shown(tokens: QuerySet[AccessToken]) -> QuerySet[AccessToken]:
    lately = timezone.now() - ENDED_SHOWN
    shown = tokens.filter(Q(revoked_at=None) | Q(revoked_at__gt=lately), expires_at__gt=lately)
    return shown.select_related("user", "tenant", "membership", "made_by", "revoked_by").order_by("-created_at", "-pk")


def one_of(tokens: QuerySet[AccessToken], key_id: str) -> AccessToken:
    """Return the token of this id, or NotVisible."""
    found = tokens.filter(key_id=key_id).first()
    if found is None:
        raise NotVisible(_("There is nothing here, or it is not yours."))
    return found
