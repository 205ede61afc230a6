"""Who is told what of an instance, and that it is told once."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from django.utils.translation import override

from engines.models import Instance
from engines.observe import fail
from engines.operations import instances, sharing
from engines.reasons import Reason
from tenants.models import Membership, Role, User
from tenants.notifications.models import Delivery, Notification, NotificationRecipient
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def instance(acme, alice, cluster) -> Instance:
    return factories.make_instance(acme, alice, cluster, state="stopped", desired_state="stopped", name="Dragon")


@pytest.fixture
def member(acme) -> Callable[..., Membership]:
    return lambda name, role=Role.MEMBER: factories.join(factories.make_user(name), acme, role)


def told() -> list[tuple[str, str]]:
    """Everything that anybody was told: whom, and the title."""
    rows = NotificationRecipient.objects.order_by("notification__created_at").select_related("user", "notification")
    return [
        (row.user.username, row.notification.about.words(row.notification.context).title)
        for row in rows.exclude(notification__kind="token_created")
    ]


def test_a_failure_is_told_to_the_owner_alone_and_once(instance, member):
    member("carol", Role.ADMIN)
    Instance.objects.update(state="starting", desired_state="running")
    instance.refresh_from_db()
    with override("zh-hans"):
        fail(instance, Reason.START_TIMEOUT, "nothing answered")
    assert told() == [("alice", "“Dragon” failed")]
    notification = Notification.objects.get()
    assert notification.subject == instance.slug
    assert notification.context["why"] == "The engine did not answer within its start-up limit. Look at its log, then retry."
    assert Delivery.objects.get().user.username == "alice"


def test_the_next_wish_that_fails_is_told_again(instance, alice_in_acme):
    for count in (1, 2):
        Instance.objects.update(state="starting", desired_state="running")
        instance.refresh_from_db()
        fail(instance, Reason.START_TIMEOUT, "")
        assert Notification.objects.filter(kind="instance_failed").count() == count
        instance.refresh_from_db()
        instances.resume_instance(instance=instance, by=alice_in_acme)


def test_a_guest_hears_of_the_share_and_of_its_end(instance, member, alice_in_acme):
    carol = member("carol").user
    share = sharing.share_instance(instance=instance, by=alice_in_acme, member=carol, until=None)
    sharing.extend_share(share=share, by=alice_in_acme, until=timezone.now() + timedelta(hours=1))
    sharing.share_instance(instance=instance, by=alice_in_acme, member=carol, until=timezone.now() + timedelta(days=1))
    assert told() == [("carol", "alice shares “Dragon” with you")]
    sharing.end_share(share=share, by=alice_in_acme)
    sharing.end_share(share=share, by=alice_in_acme)
    assert told()[1:] == [("carol", "“Dragon” is no longer shared with you")]


def test_a_share_with_everybody_fills_no_mailbox(instance, member, alice_in_acme):
    member("carol")
    share = sharing.share_instance(instance=instance, by=alice_in_acme, member=None, until=None)
    sharing.end_share(share=share, by=alice_in_acme)
    assert told() == []
    assert list(Notification.objects.order_by("created_at").values_list("kind", flat=True)) == ["share_given", "share_ended"]


def test_nobody_is_told_what_they_did_themselves(instance, member):
    dave = member("dave", Role.ADMIN)
    share = sharing.share_instance(instance=instance, by=dave, member=dave.user, until=None)
    sharing.end_share(share=share, by=dave)
    assert told() == []


def test_a_hand_over_is_told_to_the_new_owner_and_ends_the_shares(instance, member, alice_in_acme):
    carol, dave = member("carol").user, member("dave").user
    for guest in (carol, dave):
        sharing.share_instance(instance=instance, by=alice_in_acme, member=guest, until=None)
    sharing.hand_over_instance(instance=instance, by=alice_in_acme, to=carol)
    assert sorted(told()[2:]) == [
        ("carol", "alice handed “Dragon” over to you"),
        ("dave", "“Dragon” is no longer shared with you"),
    ]


def test_whose_engine_is_taken_hears_of_it(instance, member):
    dave = member("dave", Role.ADMIN)
    sharing.hand_over_instance(instance=instance, by=dave, to=dave.user)
    assert told() == [("alice", "dave handed “Dragon” over to dave")]


def test_who_has_left_hears_nothing_and_neither_do_strangers(instance, member, alice, bob: User):
    """The owner is no member any more: their engine's failure is told to webhooks alone."""
    member("carol")
    Membership.objects.filter(user=alice).delete()
    Instance.objects.update(state="starting", desired_state="running")
    instance.refresh_from_db()
    fail(instance, Reason.START_TIMEOUT, "")
    assert (told(), Notification.objects.count(), Delivery.objects.count()) == ([], 1, 0)


def test_what_is_rolled_back_was_never_told(instance, member, alice_in_acme, monkeypatch):
    carol = member("carol").user
    monkeypatch.setattr(sharing.live, "announce_on_commit", lambda _instance: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        sharing.share_instance(instance=instance, by=alice_in_acme, member=carol, until=None)
    assert not Notification.objects.exists()
