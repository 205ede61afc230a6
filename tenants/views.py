"""Pages about people and tenants."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from tenants import access


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Go to the tenant visited last, or the first; tell somebody without one what to do."""
    tenants = list(access.tenants_of(request.user))  # type: ignore[arg-type]
    if not tenants:
        return render(request, "tenants/none.html")
    last = request.session.get("last_tenant")
    chosen = next((tenant for tenant in tenants if tenant.slug == last), tenants[0])
    return redirect("instances", tenant_slug=chosen.slug)
