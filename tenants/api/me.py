"""Who the token acts as, and where."""

from datetime import datetime

from ninja import Path, Query, Router
from pydantic import Field

from aigc_portal.api.callers import ApiRequest, member, needs
from aigc_portal.api.paging import Paging, page_of
from aigc_portal.api.schemas import Output, Page
from tenants.access_tokens.models import AccessToken
from tenants.models import Membership, User

router = Router(tags=["Me"])


class TenantOut(Output):
    """A tenant that the token reaches, and the part of its user in it."""

    slug: str
    name: str
    role: str
    suspended: bool


class TokenInUse(Output):
    """The token that is used."""

    id: str
    name: str
    kind: str = Field(description="personal or service.")
    scopes: list[str]
    tenant: str | None = Field(description="The only tenant that it reaches; null for all of its person's.")
    expires_at: datetime


class Me(Output):
    """Whom the token acts as."""

    username: str
    name: str
    email: str
    is_service: bool
    time_zone: str
    token: TokenInUse
    tenants: list[TenantOut]


@router.get("/me", auth=needs(), response=Me, summary="Who am I")
def get_me(request: ApiRequest) -> Me:
    """Return whom the token acts as, what it may be used for, and which tenants it reaches."""
    user, token = request.auth.user, request.auth.token
    return Me(
        username=user.username,
        name=user.get_full_name(),
        email=user.email,
        is_service=user.is_service,
        time_zone=user.time_zone,
        token=_in_use(token),
        tenants=_tenants(user, token),
    )


@router.get("/tenants", auth=needs(), response=Page[TenantOut], summary="List tenants")
def list_tenants(request: ApiRequest, paging: Query[Paging]) -> dict[str, object]:
    """Return the tenants that the token reaches, by slug."""
    return page_of(_tenants(request.auth.user, request.auth.token), paging, key=lambda each: each.slug)


@router.get("/tenants/{slug:tenant}", auth=needs(), response=TenantOut, summary="Read a tenant")
def get_tenant(request: ApiRequest, tenant: Path[str]) -> TenantOut:
    """Return one of them."""
    return _shown(member(request, tenant))


def _in_use(token: AccessToken) -> TokenInUse:
    return TokenInUse(
        id=token.key_id,
        name=token.name,
        kind=token.kind,
        scopes=token.scopes,
        tenant=token.tenant.slug if token.tenant else None,
        expires_at=token.expires_at,
    )


def _tenants(user: User, token: AccessToken) -> list[TenantOut]:
    memberships = Membership.objects.filter(user=user, lapsed_at=None).select_related("tenant").order_by("tenant__slug")
    return [_shown(each) for each in memberships if token.tenant_id in {None, each.tenant_id}]


def _shown(membership: Membership) -> TenantOut:
    tenant = membership.tenant
    return TenantOut(slug=tenant.slug, name=tenant.name, role=membership.role, suspended=tenant.suspended_at is not None)
