"""The tenant's webhooks, for its admins."""

from collections.abc import Callable
from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST

from tenants import access
from tenants.errors import NotAllowed, NotVisible, PortalError
from tenants.models import Membership, User
from tenants.notifications import endpoints, queries
from tenants.notifications.forms import AgainForm, EndpointForm
from tenants.notifications.models import WebhookEndpoint

# Names the webhook whose secret the next page shows, once; the secret itself stays where it is sealed.
SHOW_SECRET = "show_webhook_secret"  # noqa: S105 - a name


@login_required
def index(request: HttpRequest, tenant_slug: str) -> HttpResponse:
    """List the webhooks, and add one."""
    membership = access.membership_in(cast("User", request.user), tenant_slug)
    rows = queries.endpoints_of(membership)
    form = EndpointForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            added = endpoints.add_endpoint(by=membership, url=form.cleaned_data["url"], kinds=form.cleaned_data["kinds"])
        except PortalError as refusal:
            form.add_error(None, str(refusal))
        else:
            return _show_secret(request, added)
    context = {"membership": membership, "endpoints": rows, "form": form}
    return render(request, "notifications/webhooks.html", context, status=422 if form.errors else 200)


@sensitive_variables("secret")
@login_required
def show(request: HttpRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Show one webhook with its log, and change it."""
    membership = access.membership_in(cast("User", request.user), tenant_slug)
    endpoint = queries.endpoint_in(membership, slug)
    form = EndpointForm(request.POST or None, initial={"url": endpoint.url, "kinds": endpoint.kinds})
    if request.method == "POST" and form.is_valid():
        endpoints.change_endpoint(
            endpoint=endpoint, by=membership, url=form.cleaned_data["url"], kinds=form.cleaned_data["kinds"]
        )
        messages.success(request, _("Saved."))
        return redirect("webhook", tenant_slug=tenant_slug, slug=slug)
    secret = ""
    if request.session.get(SHOW_SECRET) == slug:
        del request.session[SHOW_SECRET]
        secret = endpoints.secret_of(endpoint)
    return _page(request, membership, endpoint, {"form": form, "secret": secret})


@require_POST
@login_required
def rotate(request: HttpRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Give it a new secret, and show that once."""
    membership = access.membership_in(cast("User", request.user), tenant_slug)
    endpoint = queries.endpoint_in(membership, slug)
    endpoints.rotate_secret(endpoint=endpoint, by=membership)
    return _show_secret(request, endpoint)


@require_POST
@login_required
def test(request: HttpRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Send it a test event."""
    return _act(
        request, tenant_slug, slug, endpoints.send_test, _("The test is on its way. Its line in the log says how it went.")
    )


@require_POST
@login_required
def enable(request: HttpRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Turn it on."""
    return _act(request, tenant_slug, slug, endpoints.enable_endpoint, _("The webhook is on."))


@require_POST
@login_required
def disable(request: HttpRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Turn it off."""
    return _act(request, tenant_slug, slug, endpoints.disable_endpoint, _("The webhook is off."))


@require_POST
@login_required
def delete(request: HttpRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Remove it."""
    membership = access.membership_in(cast("User", request.user), tenant_slug)
    endpoint = queries.endpoint_in(membership, slug)
    endpoints.delete_endpoint(endpoint=endpoint, by=membership)
    messages.success(request, _("The webhook to %(host)s is deleted.") % {"host": endpoint.host})
    return redirect("webhooks", tenant_slug=tenant_slug)


@require_POST
@login_required
def redeliver(request: HttpRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Send one event once more."""
    membership = access.membership_in(cast("User", request.user), tenant_slug)
    endpoint = queries.endpoint_in(membership, slug)
    form = AgainForm(request.POST)
    if not form.is_valid():
        return _page(request, membership, endpoint, {"refusal": _("Choose a delivery to send again.")}, status=422)
    delivery = queries.delivery_in(endpoint, form.cleaned_data["delivery"])

    def again(*, endpoint: WebhookEndpoint, by: Membership) -> None:
        delivery.endpoint = endpoint
        endpoints.redeliver(delivery=delivery, by=by)

    return _act(request, tenant_slug, slug, again, _("It is on its way once more."))


def _act(request: HttpRequest, tenant_slug: str, slug: str, operation: Callable[..., object], done: str) -> HttpResponse:
    """Ask for it, and go back to the webhook with `done`, or show it with the refusal."""
    membership = access.membership_in(cast("User", request.user), tenant_slug)
    endpoint = queries.endpoint_in(membership, slug)
    try:
        operation(endpoint=endpoint, by=membership)
    except (NotAllowed, NotVisible):
        raise
    except PortalError as refusal:
        return _page(request, membership, endpoint, {"refusal": str(refusal)}, status=422)
    messages.success(request, done)
    return redirect("webhook", tenant_slug=tenant_slug, slug=slug)


def _page(
    request: HttpRequest, membership: Membership, endpoint: WebhookEndpoint, more: dict[str, object], *, status: int = 200
) -> HttpResponse:
    lines = queries.log_of(endpoint)
    form = more.get("form") or EndpointForm(initial={"url": endpoint.url, "kinds": endpoint.kinds})
    context = {
        "membership": membership,
        "endpoint": endpoint,
        "form": form,
        "lines": lines,
        "moving": any(not line.settled for line in lines),
    }
    refused = isinstance(form, EndpointForm) and bool(form.errors)
    return render(request, "notifications/webhook.html", context | more, status=422 if refused else status)


def _show_secret(request: HttpRequest, endpoint: WebhookEndpoint) -> HttpResponse:
    request.session[SHOW_SECRET] = endpoint.slug
    return redirect("webhook", tenant_slug=endpoint.tenant.slug, slug=endpoint.slug)
