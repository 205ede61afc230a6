"""API tokens of engines: how programs reach an engine's own pages."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal

from django.utils.translation import gettext as _
from ninja import Path, Query, Router, Status
from pydantic import Field

from aigc_portal.api.callers import ApiRequest, member, needs, require_scope
from aigc_portal.api.paging import Paging, page
from aigc_portal.api.problems import invalid
from aigc_portal.api.schemas import Input, Name, Output, Page
from engines.queries.instances import instance_in
from gateway.api_tokens.limits import NETWORKS_LIMIT, RULES_LIMIT, BadLimit, read_network, read_rule
from gateway.api_tokens.operations import Wanted, make_api_token, revoke_api_token
from gateway.api_tokens.queries import manageable_tokens
from gateway.models import LIFE_LIMIT, ApiToken
from tenants import access
from tenants.access import Action
from tenants.access_tokens.operations import lifetime_within
from tenants.access_tokens.scopes import Scope
from tenants.errors import NotVisible

router = Router(tags=["Engine tokens"])
READ, WRITE = needs(Scope.TOKENS_READ), needs(Scope.TOKENS_WRITE)
Text = Annotated[str, Field(max_length=200)]


class EngineTokenOut(Output):
    """A program's access to one engine, or to all that its maker may enter."""

    id: str
    name: str
    start: str = Field(description="How its text begins.")
    instance: str | None = Field(description="Null: every engine that its maker may enter.")
    made_by: str
    scope: str = Field(description="use, or wake: start it too when it is paused.")
    rules: list[str] = Field(description="Paths that it may call; none: every path.")
    networks: list[str] = Field(description="Where from; none: anywhere.")
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    ended: bool


class MadeEngineToken(EngineTokenOut):
    """The same, once, with its text."""

    secret: str = Field(description="The token. It is not shown again.")


class EngineTokenIn(Input):
    """What a token shall be."""

    name: Name
    instance: str = Field("", max_length=20, description="An instance's id; empty: every engine that you may enter.")
    scope: Literal["use", "wake"] = "use"
    days: int | None = Field(None, ge=1, le=LIFE_LIMIT.days - 1, description="Null: 90. Never longer than the token that asks.")
    rules: list[Text] = Field([], max_length=RULES_LIMIT, description="e.g. `POST /prompt`, `GET /history/*`.")
    networks: list[Text] = Field([], max_length=NETWORKS_LIMIT, description="e.g. `192.0.2.0/24`.")


@router.get("/engine-tokens", auth=READ, response=Page[EngineTokenOut], summary="List engine tokens")
def list_engine_tokens(request: ApiRequest, tenant: Path[str], paging: Query[Paging]) -> dict[str, object]:
    """Return the tokens that the member may revoke, newest first."""
    membership = member(request, tenant)
    access.require(membership, Action.SEE)
    tokens = manageable_tokens(membership)
    return page(tokens, paging, by="-created_at", show=lambda rows: [_shown(each) for each in rows])


@router.post("/engine-tokens", auth=WRITE, response={201: MadeEngineToken}, summary="Make an engine token")
def make_engine_token(request: ApiRequest, tenant: Path[str], wanted: EngineTokenIn) -> Status[MadeEngineToken]:
    """Make a token for one engine that one may enter, or for all of them. It needs the scope instances:write, too.

    Whoever is in an engine works with it and its data: a token that may not launch one makes none that enters one.
    """
    membership = member(request, tenant)
    require_scope(request.auth, Scope.INSTANCES_WRITE)
    access.require(membership, Action.VISIT)
    instance = instance_in(membership, wanted.instance).instance if wanted.instance else None
    rules = _read(wanted.rules, read_rule, "rules", _("This is not a path. A path begins with /."))
    networks = _read(wanted.networks, read_network, "networks", _("This is neither an address nor a network."))
    asked = Wanted(wanted.name, wanted.scope, lifetime_within(request.auth.token, wanted.days), rules, networks)
    made = make_api_token(by=membership, instance=instance, wanted=asked)
    return Status(201, MadeEngineToken(**_shown(made.token).model_dump(), secret=made.secret))


@router.delete("/engine-tokens/{slug:token}", auth=WRITE, response={204: None}, summary="Revoke an engine token")
def revoke_engine_token(request: ApiRequest, tenant: Path[str], token: Path[str]) -> Status[None]:
    """End it at once."""
    membership = member(request, tenant)
    found = manageable_tokens(membership).filter(key_id=token).first()
    if found is None:
        raise NotVisible
    revoke_api_token(token=found, by=membership)
    return Status(204, None)


def _read(texts: list[str], read: Callable[[str], str], field: str, refusal: str) -> list[str]:
    try:
        return [read(text) for text in texts]
    except BadLimit as error:
        raise invalid("body", field, refusal) from error


def _shown(token: ApiToken) -> EngineTokenOut:
    return EngineTokenOut(
        id=token.key_id,
        name=token.name,
        start=token.start,
        instance=token.instance.slug if token.instance else None,
        made_by=token.made_by.username,
        scope=token.scope,
        rules=token.rules,
        networks=token.networks,
        created_at=token.created_at,
        expires_at=token.expires_at,
        last_used_at=token.last_used_at,
        ended=token.has_ended,
    )
