"""What a webhook says, and what its answer means."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone, translation
from standardwebhooks import Webhook

from aigc_portal.sealing import unseal
from tenants.models import Membership, User
from tenants.notifications.endpoints import rotate_secret
from tenants.notifications.guarded import Answer
from tenants.notifications.models import Delivery, Notification, Problem, WebhookEndpoint
from tenants.notifications.outbox import deliver_due
from tenants.notifications.webhook import meaning
from tests.notifications.receiver import Receiver

Tell = Callable[..., Notification | None]


def test_the_event_is_signed_and_says_it_all(tell: Tell, alice: User, endpoint, receiver: Receiver, secret: str) -> None:
    notification = tell(alice, name="龙 & <b>Dragon</b>")
    with translation.override("zh-hans"):
        assert deliver_due()
    (request,) = receiver.requests
    assert request.path == "/hook?of=acme"
    assert request.headers["host"] == receiver.url.split("/")[2]
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == "aigc-portal-webhooks"
    assert abs(int(request.headers["webhook-timestamp"]) - timezone.now().timestamp()) < 60
    assert Webhook(secret).verify(request.body, dict(request.headers)) == {
        "type": "instance.idle_warning",
        "timestamp": f"{notification.created_at:%Y-%m-%dT%H:%M:%S.%f}Z",
        "tenant": "acme",
        "data": {
            "title": "“龙 & <b>Dragon</b>” will be paused in 10 minutes",
            "text": "Nobody has used it for a while. Open it, or keep it on from its page, if you need it. Its data is kept.",
            "url": "http://portal.localhost:8000/acme/instances/7f3k2qxbcd/",
            "subject": "7f3k2qxbcd",
            "people": ["alice"],
            "context": {"name": "龙 & <b>Dragon</b>", "minutes": 10},
        },
    }
    assert b" " not in request.body.split(b'"data"')[0]
    assert len(request.body) < 20_000


def test_after_a_rotation_both_secrets_sign_for_a_day(
    tell: Tell, endpoint, receiver: Receiver, secret: str, anna_in_acme: Membership
) -> None:
    rotate_secret(endpoint=endpoint, by=anna_in_acme)
    fresh = unseal(WebhookEndpoint.objects.get().sealed_secret)
    assert fresh != secret
    tell()
    now = timezone.now()
    assert deliver_due(clock=lambda: now)
    (request,) = receiver.requests
    assert Webhook(fresh).verify(request.body, dict(request.headers))
    assert Webhook(secret).verify(request.body, dict(request.headers))
    tell(key="a day later")
    assert deliver_due(clock=lambda: now + timedelta(hours=25))
    assert len(request.headers["webhook-signature"].split()) == 2
    assert len(receiver.requests[1].headers["webhook-signature"].split()) == 1


def test_a_secret_of_another_installation_is_said(tell: Tell, endpoint, receiver: Receiver, settings) -> None:
    tell()
    settings.ENCRYPTION_KEYS = ["k" * 40]
    assert deliver_due()
    assert (Delivery.objects.get().problem, receiver.requests) == (Problem.SECRET, [])


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_every_2xx_is_delivered(status: int) -> None:
    assert meaning(Answer(status, ""), now=timezone.now()).problem is None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_failures(status: int) -> None:
    outcome = meaning(Answer(status, ""), now=timezone.now())
    assert (outcome.problem, outcome.hopeless, outcome.receiver_ails) == (Problem.REDIRECT, False, False)


@pytest.mark.parametrize(
    ("status", "ails", "gone"),
    [(400, False, False), (401, False, False), (404, False, False), (410, False, True), (429, True, False),
     (500, False, False), (502, True, False), (503, True, False), (504, True, False)],
)  # fmt: skip
def test_errors_have_their_meaning(status: int, ails: bool, gone: bool) -> None:
    outcome = meaning(Answer(status, "60"), now=timezone.now())
    assert (outcome.problem, outcome.receiver_ails, outcome.gone, outcome.hopeless) == (Problem.STATUS, ails, gone, gone)
    assert outcome.pause == timedelta(seconds=60)


def test_a_redirect_is_not_followed(tell: Tell, endpoint, receiver: Receiver) -> None:
    tell()
    receiver.answer(307, Location=receiver.url)
    assert deliver_due()
    assert len(receiver.requests) == 1
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.status, delivery.problem) == ("failed", 307, Problem.REDIRECT)


def test_a_body_is_the_same_at_every_attempt(tell: Tell, alice: User, anna: User, endpoint, receiver: Receiver) -> None:
    tell(anna, alice)
    receiver.answer(500)
    now = timezone.now()
    assert deliver_due(clock=lambda: now)
    assert deliver_due(clock=lambda: now + timedelta(minutes=1))
    first, second = receiver.requests
    assert first.body == second.body
    assert json.loads(first.body)["data"]["people"] == ["alice", "anna"]
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
