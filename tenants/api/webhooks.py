"""A tenant's webhooks, for its admins."""

from collections.abc import Callable
from datetime import datetime

from ninja import Path, Query, Router, Status
from pydantic import Field

from aigc_portal.api.callers import ApiRequest, member, needs
from aigc_portal.api.paging import Paging, page
from aigc_portal.api.problems import invalid
from aigc_portal.api.schemas import Input, Output, Page
from tenants import access
from tenants.access import Action
from tenants.access_tokens.scopes import Scope
from tenants.models import Membership
from tenants.notifications import endpoints
from tenants.notifications.forms import EndpointForm
from tenants.notifications.models import URL_LENGTH, Delivery, WebhookEndpoint
from tenants.notifications.queries import delivery_in, endpoint_in

router = Router(tags=["Webhooks"])
READ, WRITE = needs(Scope.WEBHOOKS_READ), needs(Scope.WEBHOOKS_WRITE)


class WebhookOut(Output):
    """An address that is told what happens."""

    id: str
    url: str
    kinds: list[str] = Field(description="None: everything.")
    active: bool
    disabled_reason: str = Field(description="by_hand, failing or gone.")
    created_at: datetime


class MadeWebhook(WebhookOut):
    """The same with its signing secret, which is not shown again."""

    secret: str


class WebhookIn(Input):
    """Where it is, and what it is told."""

    url: str = Field(min_length=1, max_length=URL_LENGTH)
    kinds: list[str] = Field([], max_length=100, description="None: everything, also what is added later.")


class DeliveryOut(Output):
    """One event on its way to the webhook."""

    id: int
    event: str
    state: str = Field(description="pending, sent, failed (and will be tried again) or given_up.")
    attempts: int
    status: int | None = Field(description="What it answered last.")
    problem: str
    detail: str
    created_at: datetime
    tried_at: datetime | None


@router.get("/webhooks", auth=READ, response=Page[WebhookOut], summary="List webhooks")
def list_webhooks(request: ApiRequest, tenant: Path[str], paging: Query[Paging]) -> dict[str, object]:
    """Return the tenant's webhooks."""
    membership = member(request, tenant)
    access.require(membership, Action.MANAGE_WEBHOOKS)
    rows = WebhookEndpoint.objects.filter(tenant=membership.tenant_id)
    return page(rows, paging, by="id", show=lambda found: [_shown(each) for each in found])


@router.post("/webhooks", auth=WRITE, response={201: MadeWebhook}, summary="Add a webhook")
def add_webhook(request: ApiRequest, tenant: Path[str], wanted: WebhookIn) -> Status[MadeWebhook]:
    """Add one with a signing secret of its own."""
    membership = member(request, tenant)
    access.require(membership, Action.MANAGE_WEBHOOKS)
    url, kinds = _checked(wanted)
    return Status(201, _with_secret(endpoints.add_endpoint(by=membership, url=url, kinds=kinds)))


@router.get("/webhooks/{slug:webhook}", auth=READ, response=WebhookOut, summary="Read a webhook")
def get_webhook(request: ApiRequest, tenant: Path[str], webhook: Path[str]) -> WebhookOut:
    """Return one of them."""
    return _shown(endpoint_in(member(request, tenant), webhook))


@router.put("/webhooks/{slug:webhook}", auth=WRITE, response=WebhookOut, summary="Change a webhook")
def change_webhook(request: ApiRequest, tenant: Path[str], webhook: Path[str], wanted: WebhookIn) -> WebhookOut:
    """Change where it is, or what it is told."""
    membership = member(request, tenant)
    endpoint = endpoint_in(membership, webhook)
    url, kinds = _checked(wanted)
    endpoints.change_endpoint(endpoint=endpoint, by=membership, url=url, kinds=kinds)
    return _shown(endpoint_in(membership, webhook))


@router.delete("/webhooks/{slug:webhook}", auth=WRITE, response={204: None}, summary="Delete a webhook")
def delete_webhook(request: ApiRequest, tenant: Path[str], webhook: Path[str]) -> Status[None]:
    """Remove it with the log of its deliveries."""
    membership = member(request, tenant)
    endpoints.delete_endpoint(endpoint=endpoint_in(membership, webhook), by=membership)
    return Status(204, None)


@router.post("/webhooks/{slug:webhook}/rotate", auth=WRITE, response=MadeWebhook, summary="Rotate a webhook’s secret")
def rotate_webhook(request: ApiRequest, tenant: Path[str], webhook: Path[str]) -> MadeWebhook:
    """Give it a new secret; for a day the one before signs too."""
    return _with_secret(_act(member(request, tenant), webhook, endpoints.rotate_secret))


@router.post("/webhooks/{slug:webhook}/test", auth=WRITE, response=WebhookOut, summary="Test a webhook")
def test_webhook(request: ApiRequest, tenant: Path[str], webhook: Path[str]) -> WebhookOut:
    """Send it an event in which nothing has happened; its deliveries say how that went."""
    return _shown(_act(member(request, tenant), webhook, endpoints.send_test))


@router.post("/webhooks/{slug:webhook}/enable", auth=WRITE, response=WebhookOut, summary="Turn a webhook on")
def enable_webhook(request: ApiRequest, tenant: Path[str], webhook: Path[str]) -> WebhookOut:
    """Send it what happens from now on."""
    return _shown(_act(member(request, tenant), webhook, endpoints.enable_endpoint))


@router.post("/webhooks/{slug:webhook}/disable", auth=WRITE, response=WebhookOut, summary="Turn a webhook off")
def disable_webhook(request: ApiRequest, tenant: Path[str], webhook: Path[str]) -> WebhookOut:
    """Send it nothing until somebody turns it on; what waits is given up."""
    return _shown(_act(member(request, tenant), webhook, endpoints.disable_endpoint))


@router.get("/webhooks/{slug:webhook}/deliveries", auth=READ, response=Page[DeliveryOut], summary="List deliveries")
def list_deliveries(request: ApiRequest, tenant: Path[str], webhook: Path[str], paging: Query[Paging]) -> dict[str, object]:
    """Return what was sent to the webhook, newest first."""
    endpoint = endpoint_in(member(request, tenant), webhook)
    rows = endpoint.deliveries.select_related("notification")
    return page(rows, paging, by="-id", show=lambda found: [_delivery(each) for each in found])


@router.post(
    "/webhooks/{slug:webhook}/deliveries/{int:delivery}/redeliver", auth=WRITE, response=DeliveryOut, summary="Deliver again"
)
def redeliver(request: ApiRequest, tenant: Path[str], webhook: Path[str], delivery: Path[int]) -> DeliveryOut:
    """Send one event once more, under its old id."""
    membership = member(request, tenant)
    endpoint = endpoint_in(membership, webhook)
    found = delivery_in(endpoint, min(delivery, 2**63 - 1))
    found.endpoint = endpoint
    endpoints.redeliver(delivery=found, by=membership)
    return _delivery(delivery_in(endpoint, found.pk))


def _act(membership: Membership, slug: str, operation: Callable[..., object]) -> WebhookEndpoint:
    operation(endpoint=endpoint_in(membership, slug), by=membership)
    return endpoint_in(membership, slug)


def _checked(wanted: WebhookIn) -> tuple[str, list[str]]:
    """Judge it as the page does, so that both refuse the same."""
    form = EndpointForm({"url": wanted.url, "kinds": wanted.kinds})
    if not form.is_valid():
        field, errors = next(iter(form.errors.items()))
        raise invalid("body", field, str(errors[0]))
    return form.cleaned_data["url"], form.cleaned_data["kinds"]


def _shown(endpoint: WebhookEndpoint) -> WebhookOut:
    return WebhookOut(
        id=endpoint.slug,
        url=endpoint.url,
        kinds=endpoint.kinds,
        active=endpoint.active,
        disabled_reason=endpoint.disabled_reason,
        created_at=endpoint.created_at,
    )


def _with_secret(endpoint: WebhookEndpoint) -> MadeWebhook:
    return MadeWebhook(**_shown(endpoint).model_dump(), secret=endpoints.secret_of(endpoint))


def _delivery(delivery: Delivery) -> DeliveryOut:
    told = delivery.notification
    return DeliveryOut(
        id=delivery.pk,
        event=told.about.event,
        state=delivery.state,
        attempts=delivery.attempts,
        status=delivery.status,
        problem=delivery.problem,
        detail=delivery.detail,
        created_at=told.created_at,
        tried_at=delivery.tried_at,
    )
