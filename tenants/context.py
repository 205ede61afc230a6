"""What every page's frame shows."""

from datetime import datetime
from functools import partial

from django.conf import settings
from django.http import HttpRequest

from tenants import access
from tenants.impersonation.looking import Looking, may_act, operator_behind
from tenants.models import Membership, Role, Tenant, User
from tenants.notifications.queries import unread_count
from tenants.switcher import SEARCH_FROM, places


def portal(request: HttpRequest) -> dict[str, object]:
    """Site name, the nonce of scripts, the person's tenants, and the tenant of this page, if theirs, with what is unread."""
    # Under the name that htmx's own tag reads; it is made when a page asks for it.
    context: dict[str, object] = {"site_name": settings.SITE_NAME, "csp_nonce": getattr(request, "csp_nonce", "")}
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return context
    tenants = list(access.tenants_of(user))
    slug = request.resolver_match.kwargs.get("tenant_slug") if request.resolver_match else None
    current = next((tenant for tenant in tenants if tenant.slug == slug), None)
    if current is not None:
        # Asked where a page shows the bell, or that the tenant stands still, and there alone.
        context["unread_count"] = partial(unread_count, user, current)
        context["may_keep_tenant"] = partial(_owns, user, current)
    present: Looking | None = getattr(request, "looking", None)
    if present is not None:
        operator = operator_behind(request)
        context["looking_until"] = datetime.fromisoformat(present.until)
        context["may_act"] = operator is not None and may_act(operator)
    return context | {
        "my_tenants": tenants,
        "current_tenant": current,
        "places": places(tenants, request.resolver_match),
        "places_searchable": len(tenants) >= SEARCH_FROM,
    }


def _owns(user: User, tenant: Tenant) -> bool:
    return Membership.objects.filter(user=user, tenant=tenant, role=Role.OWNER).exists()
