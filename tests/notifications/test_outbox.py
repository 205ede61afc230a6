"""The outbox: who takes what, when it is tried again, and what happens to what dies in the middle."""

import os
import subprocess
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.core import mail
from django.db import connection, transaction
from django.utils import timezone

from aigc_portal.celery import app
from tenants.models import Tenant, User
from tenants.notifications import endpoints, outbox
from tenants.notifications.kind import PATIENCE
from tenants.notifications.kinds import KINDS
from tenants.notifications.models import Delivery, Notification, Problem, WebhookEndpoint
from tenants.notifications.operations import notify, try_again
from tenants.notifications.outbox import ATTEMPTS, LEASE, QUIET, claim, deliver_due, record
from tenants.notifications.outcome import Outcome
from tests.notifications.receiver import Receiver
from tests.waiting import wait_until

Tell = Callable[..., Notification | None]
ROOT = Path(__file__).resolve().parents[2]


def at(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment


def only() -> Delivery:
    return Delivery.objects.get()


def test_mail_and_webhook_leave_and_are_written_down(tell: Tell, alice: User, endpoint, receiver: Receiver) -> None:
    tell(alice)
    assert deliver_due()
    assert [message.to for message in mail.outbox] == [["alice@example.org"]]
    assert len(receiver.requests) == 1
    rows = Delivery.objects.order_by("pk").values_list("state", "attempts", "status", "problem", "lease")
    assert list(rows) == [("sent", 1, None, "", None), ("sent", 1, 200, "", None)]
    assert all(delivery.sent_at is not None for delivery in Delivery.objects.all())
    assert deliver_due()
    assert (len(mail.outbox), len(receiver.requests)) == (1, 1)


def test_the_oldest_goes_first(tell: Tell, endpoint, receiver: Receiver) -> None:
    told = [tell(key=str(number)) for number in range(5)]
    assert deliver_due()
    assert receiver.ids == [f"msg_{notification.pk.hex}" for notification in told]


def test_a_failure_is_tried_again_later_and_later(tell: Tell, endpoint, receiver: Receiver) -> None:
    tell()
    now = timezone.now()
    pauses = []
    for attempt in range(1, 5):
        receiver.answer(500)
        assert deliver_due(clock=at(now))
        delivery = only()
        assert (delivery.state, delivery.attempts, delivery.status, delivery.problem) == ("failed", attempt, 500, "status")
        assert len(receiver.requests) == attempt
        assert deliver_due(clock=at(delivery.next_at - timedelta(milliseconds=1)))
        assert len(receiver.requests) == attempt
        pauses.append((delivery.next_at - now).total_seconds())
        now = delivery.next_at
    for pause, planned in zip(pauses, [5, 20, 80, 320], strict=True):
        assert planned * 0.8 <= pause <= planned * 1.2
    assert deliver_due(clock=at(now))
    assert only().state == "sent"
    assert len(set(receiver.ids)) == 1
    assert WebhookEndpoint.objects.get().failing_since is None


def test_retry_after_is_honoured_and_the_whole_webhook_left_alone(tell: Tell, endpoint, receiver: Receiver) -> None:
    tell()
    tell(key="second")
    receiver.answer(429, Retry_After="600")
    now = timezone.now()
    assert deliver_due(clock=at(now))
    assert len(receiver.requests) == 1
    assert deliver_due(clock=at(now + timedelta(seconds=599)))
    assert len(receiver.requests) == 1
    assert deliver_due(clock=at(now + timedelta(seconds=601)))
    assert sorted(Counter(receiver.ids).values()) == [1, 2]
    assert not Delivery.objects.exclude(state="sent").exists()
    assert WebhookEndpoint.objects.get().quiet_until is None


def test_a_webhook_that_is_away_is_asked_once_in_a_while_and_then_gets_all(tell: Tell, endpoint, receiver: Receiver) -> None:
    WebhookEndpoint.objects.update(url="http://127.0.0.1:1024/")
    for number in range(5):
        tell(key=str(number))
    now = timezone.now()
    for _round in range(3):
        assert deliver_due(clock=at(now))
        now += QUIET
    tried = Delivery.objects.order_by("pk").values_list("attempts", flat=True)
    assert sum(tried) == 3
    assert Delivery.objects.exclude(problem="").values_list("problem", flat=True).distinct().get() == Problem.UNREACHABLE
    WebhookEndpoint.objects.update(url=receiver.url)
    assert deliver_due(clock=at(now))
    assert deliver_due(clock=at(now + timedelta(hours=1)))
    assert len(set(receiver.ids)) == len(receiver.ids) == 5


def test_one_bad_event_keeps_no_others_waiting(tell: Tell, endpoint, receiver: Receiver) -> None:
    tell()
    tell(key="second")
    receiver.answer(400)
    assert deliver_due()
    assert list(Delivery.objects.order_by("pk").values_list("state", flat=True)) == ["failed", "sent"]


def test_after_three_days_it_is_given_up(tell: Tell, endpoint, receiver: Receiver, caplog) -> None:
    tell()
    now = begun = timezone.now()
    while only().state != "given_up":
        receiver.answer(500)
        assert deliver_due(clock=at(now))
        now = only().next_at
    assert PATIENCE <= now - begun <= PATIENCE + timedelta(hours=15)
    assert only().attempts in range(12, 16)
    assert "given up at attempt" in caplog.text
    assert deliver_due(clock=at(now + timedelta(days=30)))
    assert len(receiver.requests) == only().attempts


def test_a_warning_that_waited_too_long_is_not_mailed_any_more(tell: Tell, alice: User, endpoint, receiver: Receiver) -> None:
    tell(alice)
    assert deliver_due(clock=at(timezone.now() + KINDS["idle_warning"].mail_patience))
    assert list(Delivery.objects.order_by("pk").values_list("state", "problem")) == [
        ("given_up", Problem.TOO_LATE),
        ("sent", ""),
    ]
    assert (len(mail.outbox), len(receiver.requests)) == (0, 1)


def test_news_is_mailed_for_days(tell: Tell, alice: User) -> None:
    tell(alice, kind="idle_released")
    assert deliver_due(clock=at(timezone.now() + PATIENCE - timedelta(minutes=1)))
    assert only().state == "sent"


@pytest.mark.django_db(transaction=True)
def test_the_worker_has_the_tasks_that_the_timetable_names(tell: Tell, alice: User) -> None:
    tell(alice)
    Notification.objects.update(created_at=timezone.now() - timedelta(days=91))
    app.loader.import_default_modules()  # as a worker does
    for name in ("tenants.tasks.deliver", "tenants.tasks.forget_notifications"):
        assert name in {entry["task"] for entry in app.conf.beat_schedule.values()}
        app.tasks[name].apply(throw=True)
    assert (len(mail.outbox), Notification.objects.count()) == (1, 0)


def test_what_ends_every_worker_ends_none_for_ever(tell: Tell, alice: User) -> None:
    tell(alice, kind="idle_released")
    now = timezone.now()
    for _crash in range(ATTEMPTS):
        assert claim(now) is not None
        now += LEASE
    assert deliver_due(clock=at(now))
    assert (only().state, only().problem, len(mail.outbox)) == ("given_up", Problem.TOO_LATE, 0)


def test_an_answer_gone_turns_the_webhook_off_and_tells_the_admins(
    tell: Tell, alice: User, anna: User, endpoint, receiver
) -> None:
    tell()
    tell(key="second")
    receiver.answer(410)
    assert deliver_due()
    assert len(receiver.requests) == 1
    endpoint.refresh_from_db()
    assert (endpoint.active, endpoint.disabled_reason) == (False, "gone")
    assert list(Delivery.objects.filter(endpoint=endpoint).order_by("pk").values_list("state", "problem")) == [
        ("given_up", "status"),
        ("given_up", "disabled"),
    ]
    assert [(message.to, message.subject) for message in mail.outbox] == [
        (["anna@example.org"], "The webhook to 127.0.0.1 was turned off")
    ]
    assert tell(key="third").deliveries.count() == 0


def test_a_webhook_that_fails_for_days_is_turned_off(tell: Tell, anna: User, endpoint, receiver: Receiver) -> None:
    tell()
    begun = timezone.now()
    receiver.answer(500)
    assert deliver_due(clock=at(begun))
    for days, active in ((2.9, True), (3, False)):
        receiver.answer(500)
        fresh = tell(key=str(days))
        Delivery.objects.filter(notification=fresh).update(give_up_at=begun + timedelta(days=9))
        Delivery.objects.exclude(notification=fresh).update(state="given_up")
        assert deliver_due(clock=at(begun + timedelta(days=days)))
        assert WebhookEndpoint.objects.get().active is active
    assert WebhookEndpoint.objects.get().disabled_reason == "failing"
    assert Notification.objects.get(kind="webhook_disabled").recipients.get().user == anna


def test_the_mail_server_is_asked_once_in_a_round_while_it_is_away(tell: Tell, alice: User, anna: User, settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    tell(alice, anna)
    assert deliver_due()
    rows = Delivery.objects.order_by("pk").values_list("state", "attempts", "problem")
    assert list(rows) == [("failed", 1, "mail_server"), ("pending", 0, "")]
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert deliver_due(clock=at(timezone.now() + timedelta(minutes=1)))
    assert len(mail.outbox) == 2


def test_a_round_has_an_end(tell: Tell, alice: User) -> None:
    tell(alice)
    assert not deliver_due(seconds=0)
    assert only().attempts == 0


def test_a_lease_keeps_others_away_until_it_is_over(tell: Tell, alice: User) -> None:
    tell(alice)
    now = timezone.now()
    first = claim(now)
    assert claim(now + LEASE - timedelta(seconds=1)) is None
    second = claim(now + LEASE)
    assert (first.pk, first.lease) != (second.pk, second.lease)
    assert second.attempts == 2


def test_who_was_taken_for_dead_cannot_say_that_it_failed_but_that_it_was_sent(tell: Tell, alice: User) -> None:
    tell(alice)
    now = timezone.now()
    first = claim(now)
    second = claim(now + LEASE)
    record(first, Outcome(Problem.MAIL_SERVER), now=now)
    assert (only().state, only().lease) == ("pending", second.lease)
    record(first, Outcome(), now=now)
    record(second, Outcome(Problem.MAIL_SERVER), now=now)
    assert (only().state, only().problem) == ("sent", "")


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_a_row_that_somebody_else_is_claiming(tell: Tell, alice: User, anna: User) -> None:
    tell(alice, anna)
    first, second = Delivery.objects.order_by("pk")

    def elsewhere() -> Delivery | None:
        try:
            return claim(timezone.now())
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Delivery.objects.select_for_update().get(pk=first.pk)
            claimed = pool.submit(elsewhere)
            wait_until(claimed.done, seconds=10)
        assert claimed.result() == second


def test_what_was_written_while_its_webhook_was_turned_off_is_given_up(tell: Tell, endpoint, receiver: Receiver) -> None:
    tell()
    WebhookEndpoint.objects.update(active=False, disabled_reason="by_hand")
    assert deliver_due()
    assert (only().state, only().problem, receiver.requests) == ("given_up", Problem.DISABLED, [])
    assert WebhookEndpoint.objects.get().failing_since is None


def test_what_is_off_keeps_the_reason_that_it_went_off_for(tell: Tell, endpoint, receiver: Receiver, anna_in_acme) -> None:
    tell()
    receiver.answer(410)
    assert deliver_due()
    endpoints.disable_endpoint(endpoint=endpoint, by=anna_in_acme)
    assert WebhookEndpoint.objects.get().disabled_reason == "gone"
    assert Notification.objects.filter(kind="webhook_disabled").count() == 1


def test_asked_again_while_an_attempt_is_under_way(tell: Tell, alice: User) -> None:
    tell(alice)
    now = timezone.now()
    Delivery.objects.update(state="failed", attempts=3)
    first = claim(now)
    assert try_again([first]) == 1
    record(first, Outcome(Problem.MAIL_SERVER), now=now)
    assert (only().state, only().attempts) == ("pending", 0)
    assert deliver_due(clock=at(timezone.now()))
    assert only().state == "sent"


def test_a_webhook_deleted_under_an_attempt(tell: Tell, endpoint, anna_in_acme) -> None:
    tell()
    delivery = claim(timezone.now())
    endpoints.delete_endpoint(endpoint=endpoint, by=anna_in_acme)
    record(delivery, Outcome(Problem.STATUS, 500), now=timezone.now())
    assert (Delivery.objects.count(), WebhookEndpoint.objects.count()) == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_nothing_is_sent_within_a_transaction(tell: Tell, endpoint, receiver: Receiver, monkeypatch) -> None:
    inside = []
    send = outbox.send_webhook
    monkeypatch.setattr(
        outbox, "send_webhook", lambda *args, **named: inside.append(connection.in_atomic_block) or send(*args, **named)
    )
    tell()
    assert deliver_due()
    assert (inside, len(receiver.requests)) == ([False], 1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(3))
def test_many_workers_send_each_once(attempt: int, tell: Tell, endpoint, receiver: Receiver) -> None:
    for number in range(20):
        tell(key=str(number))
    barrier = threading.Barrier(4)

    def work(_number: int) -> bool:
        try:
            barrier.wait()
            return deliver_due()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [True] * 4
    assert len(receiver.ids) == len(set(receiver.ids)) == 20
    assert set(Delivery.objects.values_list("state", "attempts")) == {("sent", 1)}


def test_one_call_at_a_time_goes_to_a_tenants_webhooks(
    tell: Tell, endpoint, alice: User, bolt: Tenant, receiver: Receiver
) -> None:
    """A slow receiver takes one worker; mail and other tenants' webhooks go on."""
    WebhookEndpoint.objects.create(tenant=bolt, url=receiver.url, sealed_secret=endpoint.sealed_secret)
    tell(key="1")
    tell(key="2")
    notify(tenant=bolt, kind="idle_warning", recipients=[], key="1", subject="x", context={"name": "Dragon", "minutes": 10})
    tell(alice, key="3")
    now, taken = timezone.now(), []
    while (delivery := claim(now)) is not None:
        taken.append((delivery.channel, delivery.notification.tenant.slug))
    assert taken == [("webhook", "acme"), ("webhook", "bolt"), ("email", "acme")]
    assert claim(now + LEASE).notification.tenant.slug == "acme"  # whoever had it is taken for dead


def test_whatever_an_attempt_comes_to_the_others_are_delivered(tell: Tell, endpoint, receiver: Receiver, alice: User) -> None:
    receiver.answer(503, retry_after="Mon, 01 Jan 2024 00:00:00 +99999999999999999999")
    tell()
    tell(alice, key="mail")
    assert deliver_due()
    states = Counter(Delivery.objects.values_list("channel", "state"))
    assert states == {("webhook", "failed"): 1, ("webhook", "pending"): 1, ("email", "sent"): 1}


def test_a_fault_of_ours_is_written_down_and_ends_no_round(tell: Tell, alice: User, anna: User, monkeypatch) -> None:
    tell(alice, anna)
    send, faults = outbox.send_mail, iter([RuntimeError("of ours")])

    def fail_once(delivery: Delivery) -> Outcome:
        for fault in faults:
            raise fault
        return send(delivery)

    monkeypatch.setattr(outbox, "send_mail", fail_once)
    assert deliver_due()
    assert list(Delivery.objects.order_by("pk").values_list("state", "detail")) == [
        ("failed", "RuntimeError('of ours')"),
        ("sent", ""),
    ]


@pytest.mark.django_db(transaction=True)
def test_failures_and_turning_off_at_once_do_not_lock_each_other_out(tell: Tell, endpoint, receiver: Receiver) -> None:
    for number in range(8):
        tell(key=str(number))
    now = timezone.now()
    taken = list(Delivery.objects.all())
    for delivery in taken:  # one after the other is claimed; so many at once are at it only once workers have stood still
        delivery.lease = uuid.uuid4()
        delivery.save(update_fields=["lease"])
    barrier = threading.Barrier(8)

    def fail(delivery: Delivery) -> None:
        try:
            barrier.wait()
            record(delivery, Outcome(Problem.STATUS, 410, hopeless=True, gone=True), now=now)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(fail, taken))
    assert Counter(endpoint.deliveries.values_list("state", flat=True)) == {"given_up": 8}
    assert Notification.objects.filter(kind="webhook_disabled").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_after_it_sent_is_made_good_under_the_same_id(tell: Tell, endpoint, receiver: Receiver) -> None:
    tell()
    test_database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    environment = os.environ | {
        "DATABASE_URL": urlunsplit(test_database),
        "DJANGO_SETTINGS_MODULE": "aigc_portal.settings",
        "PYTHONPATH": str(ROOT),
    }
    script = Path(__file__).with_name("deliver_and_die.py")
    with subprocess.Popen([sys.executable, script], env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "sent, answered 200\n"
        finally:
            process.kill()
    assert (only().state, len(receiver.requests)) == ("pending", 1)
    assert deliver_due()
    assert len(receiver.requests) == 1
    assert deliver_due(clock=at(timezone.now() + LEASE))
    assert (only().state, only().attempts) == ("sent", 2)
    assert len(receiver.requests) == 2
    assert len(set(receiver.ids)) == 1
    assert receiver.requests[0].body == receiver.requests[1].body


@pytest.mark.django_db(transaction=True)
def test_a_hint_is_sent_once_what_it_is_about_is_durable(tell: Tell, alice: User, valkey) -> None:
    def hints() -> int:
        return sum(valkey.llen(key) for key in valkey.keys("*celery:deliveries"))

    tell(alice)
    wait_until(lambda: hints() == 1)
    notify(tenant=alice.tenants.get(), kind="share_ended", recipients=[], key="nobody", subject="x", context={"name": "Dragon"})
    assert hints() == 1
