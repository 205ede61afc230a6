"""Operators look at what people were told, and send again what did not arrive."""

from collections.abc import Callable

import pytest
from django.core import mail
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from aigc_portal.sealing import unseal
from tenants.models import User
from tenants.notifications.endpoints import rotate_secret
from tenants.notifications.models import Delivery, Notification, WebhookEndpoint
from tenants.notifications.outbox import deliver_due
from tests import factories

Tell = Callable[..., Notification | None]
LISTS = [reverse(f"admin:tenants_{model}_changelist") for model in ("notification", "delivery", "webhookendpoint")]
DELIVERIES = LISTS[1]


@pytest.fixture
def operator(client: Client, olga: User) -> Client:
    client.force_login(olga)
    return client


def again(client: Client) -> str:
    chosen = [str(pk) for pk in Delivery.objects.values_list("pk", flat=True)]
    answer = client.post(DELIVERIES, {"action": "again", "_selected_action": chosen}, follow=True)
    return answer.content.decode()


def test_rows_show_what_was_told_and_cannot_be_changed(operator: Client, tell: Tell, alice: User, endpoint) -> None:
    notification = tell(alice)
    page = operator.get(reverse("admin:tenants_notification_change", args=[notification.pk])).content.decode()
    assert "“Dragon” will be paused in 10 minutes" in page
    assert "alice" in page
    assert 'name="_save"' not in page
    for row in (*Delivery.objects.all(), endpoint):
        url = reverse(f"admin:tenants_{row._meta.model_name}_change", args=[row.pk])
        assert operator.get(url).status_code == 200
        assert operator.post(url, {"state": "sent", "active": ""}).status_code == 403
        assert operator.post(url.replace("change", "delete"), {"post": "yes"}).status_code == 403
    assert Delivery.objects.filter(state="pending").count() == 2


def test_secrets_are_shown_to_nobody(operator: Client, endpoint, secret: str) -> None:
    for url in (LISTS[2], reverse("admin:tenants_webhookendpoint_change", args=[endpoint.pk])):
        page = operator.get(url).content.decode()
        assert endpoint.url in page
        assert secret not in page
        assert endpoint.sealed_secret not in page


@pytest.mark.parametrize("url", LISTS)
def test_lists_cost_the_same_queries_for_few_rows_and_for_many(url: str, operator: Client, tell: Tell, alice: User, acme) -> None:
    def add(number: int) -> None:
        WebhookEndpoint.objects.create(tenant=acme, url=f"https://x{number}.example", created_by=alice)
        user = factories.make_user(f"user{number}")
        factories.join(user, acme)
        tell(user, key=str(number))

    def queries() -> int:
        operator.get(url)
        with CaptureQueriesContext(connection) as captured:
            assert operator.get(url).status_code == 200
        return len(captured)

    add(0)
    before = queries()
    for number in range(1, 5):
        add(number)
    assert queries() == before


def test_lists_filter_by_kind(operator: Client, tell: Tell, alice: User) -> None:
    tell(alice)
    assert "“Dragon”" in operator.get(LISTS[0], {"kind": "idle_warning"}).content.decode()
    assert "“Dragon”" not in operator.get(LISTS[0], {"kind": "idle_released"}).content.decode()
    assert "alice" in operator.get(DELIVERIES, {"kind": "idle_warning"}).content.decode()


def test_what_was_given_up_is_tried_again(operator: Client, tell: Tell, alice: User) -> None:
    tell(alice)
    assert "The others wait anyway" in again(operator)
    Delivery.objects.update(state="given_up")
    assert "1 delivery will be tried again." in again(operator)
    assert deliver_due()
    assert len(mail.outbox) == 1


def test_trying_again_needs_the_right_to_change(client: Client, tell: Tell, alice: User) -> None:
    tell(alice)
    Delivery.objects.update(state="given_up")
    sam = factories.make_operator("sam", "tenants.view_delivery")
    client.force_login(sam)
    assert client.get(DELIVERIES).status_code == 200
    again(client)
    assert Delivery.objects.get().state == "given_up"


def test_rotating_the_portals_keys_keeps_secrets_of_webhooks(endpoint, secret: str, anna_in_acme, settings, capsys) -> None:
    rotate_secret(endpoint=endpoint, by=anna_in_acme)
    endpoint.refresh_from_db()
    fresh = unseal(endpoint.sealed_secret)
    settings.ENCRYPTION_KEYS = ["n" * 40, *settings.ENCRYPTION_KEYS]
    call_command("rotate_secrets")
    assert "encrypted anew: 2" in capsys.readouterr().out
    settings.ENCRYPTION_KEYS = ["n" * 40]
    endpoint.refresh_from_db()
    assert (unseal(endpoint.sealed_secret), unseal(endpoint.sealed_previous)) == (fresh, secret)
