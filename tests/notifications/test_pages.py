"""Pages: the bell, the list with its choices, and webhooks with their secrets and logs."""

import re
from collections.abc import Callable

import pytest
from django.test import Client
from standardwebhooks import Webhook

from aigc_portal.sealing import unseal
from tenants.models import Tenant, User
from tenants.notifications.endpoints import LIMIT
from tenants.notifications.kinds import KINDS
from tenants.notifications.models import Delivery, EmailOptIn, EmailOptOut, Notification, NotificationRecipient, WebhookEndpoint
from tenants.notifications.outbox import deliver_due
from tests import factories
from tests.notifications.receiver import Receiver

Tell = Callable[..., Notification | None]
WEBHOOKS = "/acme/notifications/webhooks/"
ON_REQUEST = {kind.name for kind in KINDS.values() if kind.on_request}


def text(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def as_anna(client: Client, anna: User) -> Client:
    client.force_login(anna)
    return client


def body(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_bell_counts_what_is_unread_in_this_tenant(tell: Tell, as_alice: Client, alice: User, bolt: Tenant) -> None:
    factories.join(alice, bolt)
    assert 'aria-label="Notifications"' in body(as_alice, "/acme/")
    tell(alice)
    tell(alice, key="second")
    assert 'aria-label="Notifications, 2 unread"' in body(as_alice, "/acme/")
    assert 'aria-label="Notifications"' in body(as_alice, "/bolt/")
    bell = body(as_alice, "/acme/notifications/unread/")
    assert bell.startswith("<a ")
    assert text(bell) == "2"
    assert as_alice.post("/acme/notifications/unread/").status_code == 405


def test_one_learns_opens_and_has_read(tell: Tell, as_alice: Client, alice: User, anna: User) -> None:
    first = tell(alice, anna, name="<i>Dragon</i>")
    page = body(as_alice, "/acme/notifications/")
    assert "“&lt;i&gt;Dragon&lt;/i&gt;” will be paused in 10 minutes" in page
    assert page.count("told__entry--unread") == 1
    answer = as_alice.post("/acme/notifications/read/", {"id": str(first.pk)})
    assert (answer.status_code, answer["Location"]) == (302, "/acme/instances/7f3k2qxbcd/")
    assert "told__entry--unread" not in body(as_alice, "/acme/notifications/")
    assert NotificationRecipient.objects.get(user=anna).read_at is None


def test_all_are_read_at_once(tell: Tell, as_alice: Client, alice: User) -> None:
    tell(alice)
    tell(alice, key="second")
    assert as_alice.post("/acme/notifications/read/").status_code == 302
    assert not NotificationRecipient.objects.filter(read_at=None).exists()


@pytest.mark.parametrize("notification_id", ["", "x", "00000000-0000-0000-0000-000000000000", "others"])
def test_what_others_were_told_is_not_there(notification_id: str, tell: Tell, as_alice: Client, anna: User) -> None:
    others = tell(anna)
    wanted = str(others.pk) if notification_id == "others" else notification_id
    assert as_alice.post("/acme/notifications/read/", {"id": wanted}).status_code == 404
    assert "Dragon" not in body(as_alice, "/acme/notifications/")
    assert NotificationRecipient.objects.get().read_at is None


def test_choices_are_kept_and_shown(as_alice: Client, alice: User) -> None:
    page = body(as_alice, "/acme/notifications/")
    assert "token" not in text(page)
    boxes = re.findall(r'name="kinds" value="(\w+)" checked', page)
    assert len(boxes) + len(ON_REQUEST) == page.count('name="kinds"') > 5
    assert not set(boxes) & ON_REQUEST
    kept = [name for name in re.findall(r'name="kinds" value="(\w+)"', page) if name != "idle_warning"]
    answer = as_alice.post("/acme/notifications/choices/", {"kinds": kept, "language": "zh-hans"})
    assert answer.status_code == 302
    assert EmailOptOut.objects.values_list("user", "kind").get() == (alice.pk, "idle_warning")
    page = body(as_alice, "/acme/notifications/")
    assert re.findall(r'name="kinds" value="(\w+)" checked', page) == kept
    assert '<option value="zh-hans" selected>' in page
    assert set(EmailOptIn.objects.filter(user=alice).values_list("kind", flat=True)) == ON_REQUEST
    as_alice.post("/acme/notifications/choices/", {"kinds": boxes, "language": "en"})
    assert not EmailOptIn.objects.exists()


@pytest.mark.parametrize("choice", [{"kinds": ["token_created"]}, {"kinds": ["x"]}, {"language": "tlh"}])
def test_choices_that_nobody_has_change_nothing(choice: dict[str, object], as_alice: Client, alice: User) -> None:
    assert as_alice.post("/acme/notifications/choices/", choice).status_code == 302
    assert not EmailOptOut.objects.exists()
    alice.refresh_from_db()
    assert alice.language == ""


def test_the_language_of_pages_becomes_that_of_mail(as_alice: Client, alice: User) -> None:
    as_alice.post("/i18n/setlang/", {"language": "zh-hans"})
    alice.refresh_from_db()
    assert alice.language == "zh-hans"
    as_alice.post("/i18n/setlang/", {"language": "tlh"})
    alice.refresh_from_db()
    assert alice.language == "zh-hans"


def test_only_admins_see_the_way_to_webhooks(as_alice: Client, anna: User) -> None:
    assert WEBHOOKS not in body(as_alice, "/acme/notifications/")
    as_alice.force_login(anna)
    assert WEBHOOKS in body(as_alice, "/acme/notifications/")


def test_a_webhook_is_added_and_its_secret_shown_once(as_anna: Client, anna: User, receiver: Receiver) -> None:
    answer = as_anna.post(WEBHOOKS, {"url": receiver.url, "kinds": ["instance_failed", "idle_warning"]})
    endpoint = WebhookEndpoint.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"{WEBHOOKS}{endpoint.slug}/")
    assert (endpoint.tenant.slug, endpoint.created_by, endpoint.kinds) == ("acme", anna, ["idle_warning", "instance_failed"])
    secret = unseal(endpoint.sealed_secret)
    assert secret not in endpoint.sealed_secret
    assert secret in body(as_anna, answer["Location"])
    assert secret not in body(as_anna, answer["Location"])
    assert "whsec_" not in body(as_anna, WEBHOOKS)
    assert not any(secret in str(value) for value in as_anna.session.values())


@pytest.mark.parametrize(
    "url", ["", "hooks", "ftp://x.example/", "https://a:b@x.example/", "https://x.example:22/", "javascript:1"]
)
def test_an_impossible_address_is_refused_in_words(url: str, as_anna: Client) -> None:
    answer = as_anna.post(WEBHOOKS, {"url": url})
    assert answer.status_code == 422
    assert 'class="error" id="id_url_error"' in answer.content.decode()
    assert not WebhookEndpoint.objects.exists()


def test_http_is_for_networks_of_the_operators_choice(as_anna: Client, settings) -> None:
    settings.WEBHOOK_NETWORKS = []
    answer = as_anna.post(WEBHOOKS, {"url": "http://hooks.example.com/"})
    assert "The address has to begin with https://." in answer.content.decode()
    assert as_anna.post(WEBHOOKS, {"url": "https://hooks.example.com/"}).status_code == 302


def test_a_tenant_has_only_so_many(as_anna: Client, acme: Tenant) -> None:
    WebhookEndpoint.objects.bulk_create(WebhookEndpoint(tenant=acme, url="https://x.example") for _ in range(LIMIT))
    answer = as_anna.post(WEBHOOKS, {"url": "https://hooks.example.com/"})
    assert answer.status_code == 422
    assert "A tenant can have 20 webhooks." in answer.content.decode()
    assert WebhookEndpoint.objects.count() == LIMIT


def test_a_test_event_arrives_and_its_line_says_so(as_anna: Client, endpoint, receiver: Receiver, secret: str) -> None:
    WebhookEndpoint.objects.update(kinds=["instance_failed"])
    page = f"{WEBHOOKS}{endpoint.slug}/"
    assert as_anna.post(f"{page}test/").status_code == 302
    waiting = body(as_anna, page)
    assert 'hx-trigger="every 2s"' in waiting
    assert deliver_due()
    (request,) = receiver.requests
    event = Webhook(secret).verify(request.body, dict(request.headers))
    assert (event["type"], event["data"]["text"]) == ("portal.test", "anna asked the portal to send it. Nothing has happened.")
    settled = body(as_anna, page)
    assert 'hx-trigger="every 2s"' not in settled
    assert "portal.test This is a test sent 200 1" in text(settled)


def test_a_failure_is_explained_and_sent_again(as_anna: Client, tell: Tell, endpoint, receiver: Receiver) -> None:
    tell()
    receiver.answer(500)
    assert deliver_due()
    page = f"{WEBHOOKS}{endpoint.slug}/"
    assert "failed, will be tried again It answered with an error. 500 1" in text(body(as_anna, page))
    assert "It has accepted nothing since" in body(as_anna, page)
    assert as_anna.post(f"{page}redeliver/", {"delivery": Delivery.objects.get().pk}).status_code == 302
    assert deliver_due()
    assert len(set(receiver.ids)) == 1
    assert len(receiver.ids) == 2
    assert Delivery.objects.get().state == "sent"


@pytest.mark.parametrize(("delivery", "status"), [("", 422), ("x", 422), ("0", 404), ("other", 404)])
def test_only_ones_own_deliveries_are_sent_again(
    delivery: str, status: int, as_anna: Client, tell: Tell, endpoint, acme: Tenant
) -> None:
    other = WebhookEndpoint.objects.create(tenant=acme, url="https://x.example")
    tell()
    Delivery.objects.update(state="sent")
    wanted = str(other.deliveries.get().pk) if delivery == "other" else delivery
    assert as_anna.post(f"{WEBHOOKS}{endpoint.slug}/redeliver/", {"delivery": wanted}).status_code == status
    assert not Delivery.objects.exclude(state="sent").exists()


def test_off_on_and_gone(as_anna: Client, tell: Tell, endpoint, receiver: Receiver) -> None:
    page = f"{WEBHOOKS}{endpoint.slug}/"
    tell()
    assert as_anna.post(f"{page}disable/").status_code == 302
    assert Delivery.objects.values_list("state", "problem").get() == ("given_up", "disabled")
    assert "Somebody turned it off." in body(as_anna, page)
    for wish in ("test/", "redeliver/"):
        answer = as_anna.post(page + wish, {"delivery": Delivery.objects.get().pk})
        assert answer.status_code == 422
        assert "This webhook is off. Turn it on first." in answer.content.decode()
    assert not Notification.objects.filter(kind="webhook_disabled").exists()
    assert as_anna.post(f"{page}enable/").status_code == 302
    tell(key="second")
    assert deliver_due()
    assert len(receiver.requests) == 1
    assert as_anna.post(f"{page}delete/").status_code == 302
    assert not WebhookEndpoint.objects.exists()
    assert not Delivery.objects.exists()
    assert as_anna.get(page).status_code == 404


def test_a_new_secret_is_shown_once(as_anna: Client, endpoint, secret: str) -> None:
    page = f"{WEBHOOKS}{endpoint.slug}/"
    assert secret not in body(as_anna, page)
    assert as_anna.post(f"{page}rotate/").status_code == 302
    fresh = unseal(WebhookEndpoint.objects.get().sealed_secret)
    shown = body(as_anna, page)
    assert fresh in shown
    assert secret not in shown
    assert "Both sign until" in shown
    assert fresh not in body(as_anna, page)


def test_its_address_and_kinds_change(as_anna: Client, endpoint) -> None:
    page = f"{WEBHOOKS}{endpoint.slug}/"
    assert as_anna.post(page, {"url": "https://new.example.com/x", "kinds": ["share_given"]}).status_code == 302
    endpoint.refresh_from_db()
    assert (endpoint.url, endpoint.kinds) == ("https://new.example.com/x", ["share_given"])
    assert as_anna.post(page, {"url": "nothing", "kinds": ["weather"]}).status_code == 422
    endpoint.refresh_from_db()
    assert endpoint.url == "https://new.example.com/x"


def test_a_webhook_of_another_tenant_is_not_there(as_anna: Client, bolt: Tenant) -> None:
    other = WebhookEndpoint.objects.create(tenant=bolt, url="https://x.example")
    for wish in ("", "rotate/", "test/", "enable/", "disable/", "delete/", "redeliver/"):
        assert as_anna.post(f"{WEBHOOKS}{other.slug}/{wish}", {"url": "https://y.example"}).status_code == 404
    other.refresh_from_db()
    assert (other.url, other.active) == ("https://x.example", True)
