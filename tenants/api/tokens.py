"""Access tokens: one's own, and those of a tenant. A token makes none that may do more than itself, or lives longer."""

from datetime import datetime
from typing import Annotated, Literal

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from ninja import Path, Query, Router, Status
from pydantic import Field

from aigc_portal.api.callers import ApiRequest, member, needs
from aigc_portal.api.paging import Paging, page
from aigc_portal.api.problems import invalid
from aigc_portal.api.schemas import Input, Name, Output, Page
from tenants import access
from tenants.access import Action
from tenants.access_tokens.models import AccessToken
from tenants.access_tokens.operations import (
    Made,
    Wanted,
    lifetime_within,
    make_personal_token,
    make_service_token,
    revoke_access_token,
)
from tenants.access_tokens.queries import one_of, own_tokens, token_in, tokens_in
from tenants.access_tokens.scopes import Scope
from tenants.models import Role

mine, of_tenant = Router(tags=["Access tokens"]), Router(tags=["Access tokens"])
READ, WRITE = needs(Scope.TOKENS_READ), needs(Scope.TOKENS_WRITE)
Scopes = Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))]
DAYS = Field(None, ge=1, le=3660, description="Null: 90. Never longer than the token that asks.")


class AccessTokenOut(Output):
    """A program's access to the API."""

    id: str
    kind: str = Field(description="personal or service.")
    name: str
    start: str = Field(description="How its text begins.")
    acts_as: str = Field(description="The username of the person, or of the service.")
    role: str | None = Field(description="In the tenant that it is bound to.")
    tenant: str | None = Field(description="Null: every tenant of its person.")
    made_by: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    ended: bool


class MadeAccessToken(AccessTokenOut):
    """The same, once, with its text."""

    secret: str = Field(description="The token. It is not shown again.")


class PersonalTokenIn(Input):
    """What a token of one's own shall be."""

    name: Name
    scopes: Scopes
    days: int | None = DAYS


class TokenIn(PersonalTokenIn):
    """What a token for the tenant shall be: one's own, or a service's."""

    kind: Literal["personal", "service"] = "personal"
    role: Literal["admin", "member", "finance", "viewer"] | None = Field(None, description="Of a service; one's own at most.")


@mine.get("/me/tokens", auth=READ, response=Page[AccessTokenOut], summary="List my access tokens")
def list_my_tokens(request: ApiRequest, paging: Query[Paging]) -> dict[str, object]:
    """Return one's own tokens that live or ended lately, newest first; to a token of one tenant, those that are bound to it."""
    return page(_reached(request), paging, by="-created_at", show=lambda rows: [_shown(each) for each in rows])


@mine.post("/me/tokens", auth=WRITE, response={201: MadeAccessToken}, summary="Make an access token for all my tenants")
def make_my_token(request: ApiRequest, wanted: PersonalTokenIn) -> Status[MadeAccessToken]:
    """Make a token that acts as oneself in every tenant."""
    made = make_personal_token(person=request.auth.user, membership=None, wanted=_wanted(request, wanted))
    return Status(201, _made(made))


@mine.delete("/me/tokens/{slug:token}", auth=WRITE, response={204: None}, summary="Revoke my access token")
def revoke_my_token(request: ApiRequest, token: Path[str]) -> Status[None]:
    """End a token of one's own at once; it may be the one that asks."""
    revoke_access_token(token=one_of(_reached(request), token), by=request.auth.user)
    return Status(204, None)


@of_tenant.get("/tokens", auth=READ, response=Page[AccessTokenOut], summary="List a tenant’s access tokens")
def list_tokens(request: ApiRequest, tenant: Path[str], paging: Query[Paging]) -> dict[str, object]:
    """Return one's own tokens that are bound to the tenant; everybody's for who manages tokens."""
    membership = member(request, tenant)
    access.require(membership, Action.SEE)
    return page(tokens_in(membership), paging, by="-created_at", show=lambda rows: [_shown(each) for each in rows])


@of_tenant.post("/tokens", auth=WRITE, response={201: MadeAccessToken}, summary="Make an access token for a tenant")
def make_token(request: ApiRequest, tenant: Path[str], wanted: TokenIn) -> Status[MadeAccessToken]:
    """Make a token that acts as oneself in the tenant alone, or as a service of it with a role of its own."""
    membership = member(request, tenant)
    if wanted.kind == "personal":
        if wanted.role is not None:
            raise invalid("body", "role", _("A personal token has the role of its person."))
        made = make_personal_token(person=membership.user, membership=membership, wanted=_wanted(request, wanted))
        return Status(201, _made(made))
    access.require(membership, Action.MANAGE_TOKENS)
    role = Role(wanted.role or Role.MEMBER)
    return Status(201, _made(make_service_token(by=membership, role=role, wanted=_wanted(request, wanted))))


@of_tenant.delete("/tokens/{slug:token}", auth=WRITE, response={204: None}, summary="Revoke a tenant’s access token")
def revoke_token(request: ApiRequest, tenant: Path[str], token: Path[str]) -> Status[None]:
    """End it at once. A service leaves the tenant with its token; what is its own stays."""
    membership = member(request, tenant)
    revoke_access_token(token=token_in(membership, token), by=membership.user, membership=membership)
    return Status(204, None)


def _reached(request: ApiRequest) -> QuerySet[AccessToken]:
    """Return the person's tokens that reach no further than the one that asks."""
    own, bound_to = own_tokens(request.auth.user), request.auth.token.tenant_id
    return own if bound_to is None else own.filter(tenant=bound_to)


def _wanted(request: ApiRequest, asked: PersonalTokenIn) -> Wanted:
    token = request.auth.token
    return Wanted(asked.name, [str(each) for each in asked.scopes], lifetime_within(token, asked.days), within=token)


def _made(made: Made) -> MadeAccessToken:
    return MadeAccessToken(**_shown(made.token).model_dump(), secret=made.secret)


def _shown(token: AccessToken) -> AccessTokenOut:
    return AccessTokenOut(
        id=token.key_id,
        kind=token.kind,
        name=token.name,
        start=token.start,
        acts_as=token.user.username,
        role=token.membership.role if token.membership else None,
        tenant=token.tenant.slug if token.tenant else None,
        made_by=token.made_by.username,
        scopes=token.scopes,
        created_at=token.created_at,
        expires_at=token.expires_at,
        last_used_at=token.last_used_at,
        ended=token.has_ended,
    )
