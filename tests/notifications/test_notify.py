"""Telling: once, in the caller's transaction, whom it concerns, and by the ways they want."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.urls import NoReverseMatch
from django.utils import timezone

from tenants.models import Tenant, User
from tenants.notifications.models import Delivery, EmailOptOut, Notification, NotificationRecipient, WebhookEndpoint
from tenants.notifications.operations import choose_mail, forget_older_than, mark_read, notify, try_again
from tests import factories

Tell = Callable[..., Notification | None]


def told() -> list[tuple[str, str]]:
    """Who is told how, in order."""
    rows = Delivery.objects.order_by("pk").values_list("channel", "user__username", "endpoint__slug")
    return [(channel, user or "webhook") for channel, user, _endpoint in rows]


def counts() -> tuple[int, int, int]:
    return Notification.objects.count(), NotificationRecipient.objects.count(), Delivery.objects.count()


def test_everybody_concerned_is_told_by_mail_and_the_webhook_too(tell: Tell, alice: User, anna: User, endpoint) -> None:
    notification = tell(alice, anna, alice)
    assert told() == [("email", "alice"), ("email", "anna"), ("webhook", "webhook")]
    assert [each.user.username for each in notification.recipients.order_by("pk")] == ["alice", "anna"]


def test_a_key_is_told_once_in_a_tenant_and_kind(tell: Tell, acme: Tenant, bolt: Tenant, alice: User, bob: User) -> None:
    first = tell(alice)
    assert tell(alice, minutes=2) is None
    assert Notification.objects.get().context == {"name": "Dragon", "minutes": 10}
    assert tell(alice, key="twice") is not None
    about = {"subject": "7f3k2qxbcd", "context": {"name": "Dragon", "minutes": 10}}
    assert notify(tenant=bolt, kind="idle_warning", recipients=[bob], key=first.key, **about) is not None
    assert notify(tenant=acme, kind="idle_released", recipients=[alice], key=first.key, **about) is not None
    assert counts() == (4, 4, 4)


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_was_never_told(tell: Tell, alice: User, endpoint) -> None:
    with transaction.atomic():
        assert tell(alice) is not None
        transaction.set_rollback(True)
    assert counts() == (0, 0, 0)
    assert tell(alice) is not None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(5))
def test_told_at_once_by_many_is_told_once(attempt: int, tell: Tell, alice: User, endpoint) -> None:
    barrier = threading.Barrier(8)

    def one(_number: int) -> bool:
        try:
            barrier.wait()
            with transaction.atomic():
                return tell(alice) is not None
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert Counter(pool.map(one, range(8))) == {True: 1, False: 7}
    assert counts() == (1, 1, 2)


def test_strangers_and_the_inactive_are_left_out(tell: Tell, acme: Tenant, alice: User, bob: User) -> None:
    gone = factories.make_user("gone", is_active=False)
    factories.join(gone, acme)
    assert tell(bob, gone) is not None
    assert counts() == (1, 0, 0)


def test_who_has_no_address_reads_it_in_the_portal(tell: Tell, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(email="")
    assert tell(alice) is not None
    assert counts() == (1, 1, 0)


def test_mail_is_a_choice(tell: Tell, acme: Tenant, alice: User, anna: User) -> None:
    wanted = ["idle_released", "instance_failed"]
    choose_mail(user=alice, wanted=wanted, language="zh-hans")
    tell(alice, anna)
    tell(alice, kind="idle_released")
    assert told() == [("email", "anna"), ("email", "alice")]
    alice.refresh_from_db()
    assert alice.language == "zh-hans"
    choose_mail(user=alice, wanted=[*wanted, "idle_warning"], language="")
    tell(alice, key="next")
    assert told()[-1] == ("email", "alice")
    assert not EmailOptOut.objects.filter(kind__in=["token_created", "test"]).exists()


def test_nobody_opts_out_of_security(acme: Tenant, alice: User) -> None:
    EmailOptOut.objects.create(user=alice, kind="token_created")
    notify(tenant=acme, kind="token_created", recipients=[alice], key="t", context={"name": "blender", "by": "anna"})
    assert told() == [("email", "alice")]


@pytest.mark.parametrize(
    ("fields", "heard"),
    [({"kinds": []}, True), ({"kinds": ["idle_warning"]}, True), ({"kinds": ["instance_failed"]}, False),
     ({"active": False, "disabled_reason": "by_hand"}, False)],
)  # fmt: skip
def test_webhooks_hear_what_they_chose(fields: dict[str, object], heard: bool, tell: Tell, endpoint) -> None:
    WebhookEndpoint.objects.update(**fields)
    tell()
    assert told() == ([("webhook", "webhook")] if heard else [])


def test_webhooks_of_others_hear_nothing(bolt: Tenant, bob: User, endpoint) -> None:
    notify(tenant=bolt, kind="share_ended", recipients=[bob], key="b", subject="x", context={"name": "Dragon"})
    assert told() == [("email", "bob")]


def test_mistakes_of_callers_are_theirs_and_write_nothing(acme: Tenant, alice: User) -> None:
    about = {"tenant": acme, "recipients": [alice], "key": "k"}
    with pytest.raises(KeyError):
        notify(kind="weather", **about)
    with pytest.raises(ValueError, match="needs"):
        notify(kind="idle_warning", subject="x", **about)
    with pytest.raises(NoReverseMatch):
        notify(kind="idle_warning", context={"name": "Dragon", "minutes": 1}, **about)
    assert counts() == (0, 0, 0)


def test_reading_one_and_all(tell: Tell, acme: Tenant, alice: User, anna: User) -> None:
    first = tell(alice, anna)
    tell(alice, key="second")
    assert mark_read(user=alice, tenant=acme, notification=first) == 1
    assert mark_read(user=alice, tenant=acme, notification=first) == 0
    assert mark_read(user=alice, tenant=acme) == 1
    assert NotificationRecipient.objects.filter(read_at=None).get().user == anna


def test_trying_again_begins_anew(tell: Tell, alice: User, endpoint) -> None:
    tell(alice)
    mail, call = Delivery.objects.order_by("pk")
    assert try_again([mail, call]) == 0
    old = timezone.now() - timedelta(days=9)
    Delivery.objects.update(state="given_up", attempts=12, give_up_at=old, next_at=old)
    WebhookEndpoint.objects.update(active=False, disabled_reason="gone")
    assert try_again([mail, call]) == 1
    mail.refresh_from_db()
    assert (mail.state, mail.attempts) == ("pending", 0)
    assert mail.give_up_at > timezone.now() + timedelta(days=2)


def test_old_notifications_are_forgotten_unless_they_wait(tell: Tell, alice: User, anna: User) -> None:
    tell(alice)
    tell(anna, key="second")
    now = timezone.now()
    Delivery.objects.filter(user=alice).update(state="sent")
    assert forget_older_than(now - timedelta(days=1)) == 0
    assert forget_older_than(now + timedelta(days=1)) == 1
    assert told() == [("email", "anna")]
    assert counts() == (1, 1, 1)
