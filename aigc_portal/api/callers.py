"""Who calls: the access token of a request, the user it acts as, and the memberships that it reaches."""

from dataclasses import dataclass
from typing import Any, cast

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja.security import HttpBearer

from aigc_portal.api import rates
from aigc_portal.api.problems import Problem
from tenants import access
from tenants.access_tokens.models import AccessToken
from tenants.access_tokens.queries import live_token, note_use
from tenants.access_tokens.scopes import Scope, covers
from tenants.access_tokens.secrets import is_well_formed
from tenants.errors import NotVisible
from tenants.models import Membership, User

_KNOWN = "_api_caller"


@dataclass(frozen=True, slots=True)
class Caller:
    """A program with a living token."""

    token: AccessToken

    @property
    def user(self) -> User:
        return self.token.user

    def reaches(self, tenant_id: int) -> bool:
        """Tell whether the token is for this tenant, if its user is a member."""
        return self.token.tenant_id in {None, tenant_id}


class ApiRequest(HttpRequest):
    """A request with a living token, as routes see it."""

    auth: Caller
    user: User
    etag_prefix: str


class AccessTokenBearer(HttpBearer):
    """`Authorization: Bearer aigc_pat_…` or `aigc_svc_…`; nothing else is accepted, no cookie above all."""

    openapi_bearerFormat = "aigc_pat_… or aigc_svc_…"  # noqa: N815 - the name that OpenAPI gives it

    def __init__(self, scope: Scope | None) -> None:
        super().__init__()
        self.scope = scope

    def __call__(self, request: HttpRequest) -> Any:
        caller = identify(request)
        if self.scope is not None:
            require_scope(caller, self.scope)
        return caller

    def authenticate(self, request: HttpRequest, token: str) -> Any:
        """Never called: `__call__` does it."""
        raise NotImplementedError


def needs(scope: Scope | None = None) -> AccessTokenBearer:
    """What a route says of itself: which scope it takes, or that any token will do."""
    return AccessTokenBearer(scope)


def require_scope(caller: Caller, scope: Scope) -> None:
    """Refuse a token whose scopes do not cover this one; Problem. For what a route needs beyond the scope that it `needs`."""
    if not covers(caller.token.scopes, scope):
        header = {"WWW-Authenticate": f'Bearer realm="api", error="insufficient_scope", scope="{scope}"'}
        raise Problem("insufficient-scope", _("This needs the scope %(scope)s.") % {"scope": scope}, headers=header)


def identify(request: HttpRequest) -> Caller:
    """Return who calls, and count the request; Problem for no token, an unknown one, and too many requests."""
    known = getattr(request, _KNOWN, None)
    if known is not None:
        return cast("Caller", known)
    secret = _bearer(request)
    address = request.META.get("REMOTE_ADDR") or ""
    rates.require_honest(address)
    token = live_token(secret)
    if token is None:
        rates.count_unknown(address)
        raise _refused()
    caller = Caller(token)
    rates.take(request, user_id=caller.user.pk)
    note_use(token)
    request.user = caller.user  # whoever asks the request who it is of, e.g. for the time zone, hears the same
    setattr(request, _KNOWN, caller)
    return caller


def member(request: HttpRequest, tenant_slug: str) -> Membership:
    """Return the caller's membership; NotVisible for strangers, unknown slugs and tenants that the token is not for."""
    caller = identify(request)
    membership = access.membership_in(caller.user, tenant_slug)
    if not caller.reaches(membership.tenant_id):
        raise NotVisible(_("There is nothing here, or it is not yours."))
    membership.user = caller.user
    return membership


def _bearer(request: HttpRequest) -> str:
    scheme, _space, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Problem("unauthenticated")
    if not is_well_formed(secret.strip()):
        raise _refused()
    return secret.strip()


def _refused() -> Problem:
    return Problem("unauthenticated", headers={"WWW-Authenticate": 'Bearer realm="api", error="invalid_token"'})
