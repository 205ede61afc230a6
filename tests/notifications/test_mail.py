"""E-mail: what it says in whose language, and a real mail server that takes or refuses it."""

import email
import email.policy
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import IO

import pytest
from django.core import mail
from django.utils import timezone, translation

from tenants.models import Membership, Tenant, User
from tenants.notifications.mail import compose, reader_of
from tenants.notifications.models import Delivery, Notification, Problem
from tenants.notifications.operations import notify, try_again
from tenants.notifications.outbox import LEASE, claim, deliver_due

Tell = Callable[..., Notification | None]


def test_it_is_plain_text_and_simple_html(tell: Tell, alice: User) -> None:
    message = compose(tell(alice, name="A & <B>"), reader_of(alice))
    assert message.subject == "“A & <B>” will be paused in 10 minutes"
    assert message.to == ["alice@example.org"]
    assert message.from_email == "AIGC Portal <noreply@portal.localhost>"
    assert message.body == (
        "Nobody has used it for a while. Open it, or keep it on from its page, if you need it. Its data is kept.\n"
        "\n"
        "http://portal.localhost:8000/acme/instances/7f3k2qxbcd/\n"
        "\n"
        "--\n"
        "AIGC Portal · Acme Studio\n"
        "Choose what you get by e-mail: http://portal.localhost:8000/acme/notifications/#choices\n"
        "\n"
    )
    ((html, kind),) = message.alternatives
    assert kind == "text/html"
    assert "<h1" in html
    assert "“A &amp; &lt;B&gt;” will be paused" in html
    assert 'href="http://portal.localhost:8000/acme/instances/7f3k2qxbcd/"' in html
    assert "<B>" not in html


def test_its_id_is_the_same_whenever_it_is_written(tell: Tell, alice: User, anna: User) -> None:
    notification = tell(alice, anna)
    ids = [compose(notification, reader_of(user)).extra_headers["Message-ID"] for user in (alice, alice, anna)]
    assert ids[0] == ids[1] == f"<{notification.pk.hex}.{alice.pk}@portal.localhost>"
    assert ids[2] != ids[0]


def test_it_is_in_the_language_and_time_of_its_reader(acme: Tenant, alice: User, anna: User) -> None:
    alice.language, alice.time_zone = "zh-hans", "Asia/Shanghai"
    alice.save()
    about = {"subject": "7f3k2qxbcd", "context": {"name": "Dragon", "ends_at": "2027-01-31T18:00:00+00:00"}}
    notification = notify(tenant=acme, kind="life_ends", recipients=[alice, anna], key="k", **about)
    with translation.override("zh-hans"):
        to_anna = compose(notification, reader_of(anna))
    assert "2027-01-31 18:00:00 UTC" in to_anna.body
    assert "Choose what you get" in to_anna.body
    to_alice = compose(notification, reader_of(alice))
    assert "CST" in to_alice.body
    assert '<html lang="zh-hans">' in to_alice.alternatives[0][0]


def test_security_says_that_it_is_always_sent(acme: Tenant, alice: User) -> None:
    notification = notify(tenant=acme, kind="token_created", recipients=[alice], key="k", context={"name": "x", "by": "anna"})
    message = compose(notification, reader_of(alice))
    assert "E-mail about security is always sent." in message.body
    assert "Choose" not in message.body


@pytest.mark.parametrize("change", ["left", "inactive", "addressless"])
def test_who_left_meanwhile_is_not_written_to(change: str, tell: Tell, alice: User) -> None:
    tell(alice)
    if change == "left":
        Membership.objects.filter(user=alice).delete()
    else:
        User.objects.filter(pk=alice.pk).update(**({"is_active": False} if change == "inactive" else {"email": ""}))
    assert deliver_due()
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.problem, mail.outbox) == ("given_up", Problem.NO_ADDRESS, [])


def test_an_address_that_cannot_be_written_to_stops_nobody_elses_mail(tell: Tell, alice: User, anna: User) -> None:
    User.objects.filter(pk=alice.pk).update(email="alice\n@example.org")
    tell(alice, anna)
    assert deliver_due()
    assert list(Delivery.objects.order_by("pk").values_list("state", "problem")) == [
        ("given_up", Problem.MAIL_REFUSED),
        ("sent", ""),
    ]


@pytest.fixture
def sink(settings) -> Iterator[IO[str]]:
    """A real mail server; yields what it prints, a line for each message."""
    script = Path(__file__).with_name("smtp_sink.py")
    with subprocess.Popen([sys.executable, "-W", "ignore", script], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
            settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", int(process.stdout.readline())
            yield process.stdout
        finally:
            process.kill()


def received(sink: IO[str]) -> tuple[list[str], EmailMessage]:
    line = json.loads(sink.readline())
    return line["to"], email.message_from_string(line["content"], policy=email.policy.default)


def test_a_real_mail_server_gets_it(sink: IO[str], tell: Tell, alice: User) -> None:
    notification = tell(alice, name="龙")
    assert deliver_due()
    to, message = received(sink)
    assert to == ["alice@example.org"]
    assert message["Subject"] == "“龙” will be paused in 10 minutes"
    assert message["Message-ID"] == f"<{notification.pk.hex}.{alice.pk}@portal.localhost>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert Delivery.objects.get().state == "sent"


def test_a_worker_that_died_is_made_good_under_the_same_id(sink: IO[str], tell: Tell, alice: User) -> None:
    tell(alice)
    now = timezone.now()
    compose(claim(now).notification, reader_of(alice)).send()
    assert deliver_due(clock=lambda: now + LEASE)
    (_, first), (_, second) = received(sink), received(sink)
    assert first["Message-ID"] == second["Message-ID"]
    assert Delivery.objects.get().attempts == 2


def test_a_mailbox_that_does_not_exist_is_given_up_and_others_get_theirs(
    sink: IO[str], tell: Tell, alice: User, anna: User
) -> None:
    User.objects.filter(pk=alice.pk).update(email="nobody@example.org")
    tell(alice, anna)
    assert deliver_due()
    refused, sent = Delivery.objects.order_by("pk")
    assert (refused.state, refused.problem, refused.detail) == ("given_up", Problem.MAIL_REFUSED, "550 no such mailbox")
    assert sent.state == "sent"
    assert received(sink)[0] == ["anna@example.org"]


def test_an_operator_sends_again_what_was_given_up(sink: IO[str], tell: Tell, alice: User) -> None:
    tell(alice)
    Delivery.objects.update(state="given_up", next_at=timezone.now() - timedelta(days=9))
    assert try_again(Delivery.objects.all()) == 1
    assert deliver_due()
    assert received(sink)[0] == ["alice@example.org"]
