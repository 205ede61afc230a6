"""Who is told of failures, shares, hand-overs and tokens, once; and who is not."""

from datetime import timedelta

import pytest
from django.core import mail
from django.db import transaction
from django.utils import timezone, translation

from engines.errors import StaleState
from engines.models import Instance, Share
from engines.observe import fail
from engines.operations import instances, sharing
from engines.reasons import EXPLANATIONS, Reason, is_failure
from engines.states import DesiredState, InstanceState
from gateway.api_tokens.operations import Wanted, make_api_token
from tenants.models import Membership
from tenants.notifications.models import Delivery, Notification, NotificationRecipient
from tenants.notifications.outbox import deliver_due
from tests import factories
from tests.driving import drive


@pytest.fixture
def instance(acme, alice, cluster):
    return factories.make_instance(acme, alice, cluster, state=InstanceState.RUNNING, name="Dragon")


@pytest.fixture
def carol(acme):
    user = factories.make_user("carol")
    factories.join(user, acme)
    return user


@pytest.fixture
def share(instance, alice_in_acme, carol):
    """Share as alice, with carol unless another is given."""

    def run(member=carol, until=None, by=alice_in_acme):
        return sharing.share_instance(instance=instance, by=by, member=member, until=until)

    return run


@pytest.fixture(autouse=True)
def strangers(bob, acme):
    """Somebody of another tenant, and somebody who was a member until a moment ago."""
    gone = factories.make_user("gone")
    factories.join(gone, acme).delete()
    yield
    assert not NotificationRecipient.objects.filter(user__in=[bob, gone]).exists()
    assert not Delivery.objects.filter(user__in=[bob, gone]).exists()


def told():
    """Who was told of what, oldest first; nobody is one whom only webhooks stand for."""
    rows = Notification.objects.order_by("created_at", "pk").prefetch_related("recipients__user")
    return [(row.kind, sorted(each.user.username for each in row.recipients.all())) for row in rows]


# --- failures ---


def test_the_owner_is_told_of_a_failure_once(instance):
    fail(instance, Reason.OUT_OF_MEMORY, "killed")
    assert told() == [("instance_failed", ["alice"])]
    assert deliver_due()
    (message,) = mail.outbox
    assert (message.to, message.subject) == (["alice@example.org"], "“Dragon” failed")
    assert message.body.startswith(
        "The engine ran out of memory. Its data is safe. Retry with a smaller job or a larger GPU class."
    )
    assert f"/acme/instances/{instance.slug}/" in message.body


def test_it_is_told_in_english_whatever_language_the_worker_speaks(instance):
    with translation.override("zh-hans"):
        fail(instance, Reason.ENGINE_EXITED, "")
        assert Notification.objects.get().context["why"].startswith("The engine ended by itself.")


def test_a_stray_of_a_wish_that_failed_is_no_news(instance):
    fail(instance, Reason.OUT_OF_MEMORY, "killed")
    instance.move_to(InstanceState.STOPPING, reason=Reason.STRAY_WORKLOAD)
    fail(instance, Reason.WORKLOAD_VANISHED, "")
    assert told() == [("instance_failed", ["alice"])]


def test_each_wish_that_fails_is_told(launch_and_fail, alice_in_acme):
    instance = launch_and_fail()
    assert told() == [("instance_failed", ["alice"])]
    drive(instance, "failed")  # looks again, as watcher and sweep do
    assert len(told()) == 1
    instances.resume_instance(instance=instance, by=alice_in_acme)
    drive(instance, "failed")
    assert told() == [("instance_failed", ["alice"])] * 2


@pytest.fixture
def launch_and_fail(alice_in_acme, gpu_class, cluster):
    def run():
        version = factories.make_engine_version("--exit-code", "3", "--exit-after", "0")
        instance = instances.launch_instance(
            membership=alice_in_acme, engine_version=version, gpu_class=gpu_class, name="Phoenix"
        )
        return drive(instance, "failed")

    return run


def test_nobody_is_told_while_a_newer_wish_goes_on(instance):
    instance.restart_generation = instance.generation = instance.generation + 1
    instance.save()
    fail(instance, Reason.ENGINE_EXITED, "")
    assert told() == []


@pytest.mark.parametrize("wish", [DesiredState.STOPPED, DesiredState.DELETED])
def test_nobody_is_told_of_what_somebody_wished_away_meanwhile(instance, wish):
    Instance.objects.filter(pk=instance.pk).update(desired_state=wish, generation=instance.generation + 1)
    with pytest.raises(StaleState):
        fail(instance, Reason.ENGINE_EXITED, "")
    instance.refresh_from_db()
    fail(instance, Reason.ENGINE_EXITED, "")
    assert told() == []


def test_whoever_owns_it_by_now_is_told(instance, alice_in_acme, carol):
    stale = Instance.objects.select_related("owner").get(pk=instance.pk)
    sharing.hand_over_instance(instance=instance, by=alice_in_acme, to=carol)
    fail(stale, Reason.ENGINE_EXITED, "")
    assert told() == [("handed_over", ["carol"]), ("instance_failed", ["carol"])]


def test_what_is_rolled_back_was_never_told(instance):
    with transaction.atomic():
        fail(instance, Reason.ENGINE_EXITED, "")
        transaction.set_rollback(True)
    assert told() == []


def test_an_owner_who_left_is_told_nothing(instance, alice_in_acme):
    alice_in_acme.delete()
    fail(instance, Reason.ENGINE_EXITED, "")
    assert told() == [("instance_failed", [])]


@pytest.mark.parametrize("reason", [reason for reason in Reason if is_failure(reason)])
def test_every_failure_has_words_of_the_catalogue(instance, reason):
    fail(instance, reason, "")
    assert Notification.objects.get().context == {"name": "Dragon", "why": str(EXPLANATIONS[reason].sentence)}


# --- shares ---


def test_a_guest_is_told_when_a_share_begins_and_when_it_is_ended(share, instance, alice_in_acme):
    made = share()
    share(until=timezone.now() + timedelta(days=1))  # moves the end, which is no news
    sharing.extend_share(share=made, by=alice_in_acme, until=None)
    assert told() == [("share_given", ["carol"])]
    assert Notification.objects.get().context == {"name": "Dragon", "by": "alice"}
    sharing.end_share(share=made, by=alice_in_acme)
    sharing.end_share(share=made, by=alice_in_acme)
    assert told() == [("share_given", ["carol"]), ("share_ended", ["carol"])]
    share()
    assert told()[2:] == [("share_given", ["carol"])]


def test_a_share_with_everybody_is_told_to_webhooks_alone(share, alice_in_acme):
    sharing.end_share(share=share(member=None), by=alice_in_acme)
    assert told() == [("share_given", []), ("share_ended", [])]


def test_who_may_still_enter_is_not_told_otherwise(share, alice_in_acme):
    share(member=None)
    sharing.end_share(share=share(), by=alice_in_acme)
    assert told() == [("share_given", []), ("share_given", ["carol"])]


def test_a_share_that_runs_out_says_nothing(share, alice_in_acme):
    made = share(until=timezone.now() + timedelta(days=1))
    Share.objects.filter(pk=made.pk).update(created_at=timezone.now() - timedelta(days=2), until=timezone.now())
    sharing.end_share(share=made, by=alice_in_acme)
    assert told() == [("share_given", ["carol"])]


def test_a_guest_who_left_is_told_nothing(share, instance, alice_in_acme, carol):
    share()
    Membership.objects.filter(user=carol).delete()
    Notification.objects.all().delete()
    sharing.hand_over_instance(instance=instance, by=alice_in_acme, to=_dora(alice_in_acme))
    assert told() == [("handed_over", ["dora"])]


def test_who_shares_with_themselves_is_told_nothing_but_webhooks_are(share, anna, anna_in_acme):
    made = share(member=anna, by=anna_in_acme)
    sharing.end_share(share=made, by=anna_in_acme)
    assert told() == [("share_given", []), ("share_ended", [])]


# --- hand-overs ---


def test_a_hand_over_is_told_to_the_new_owner_and_its_guests(share, instance, alice_in_acme, carol):
    dora = _dora(alice_in_acme)
    share()
    share(member=dora)
    Notification.objects.all().delete()
    sharing.hand_over_instance(instance=instance, by=alice_in_acme, to=dora)
    assert told() == [("handed_over", ["dora"]), ("share_ended", ["carol"])]
    handed = Notification.objects.get(kind="handed_over")
    assert (handed.context, handed.subject) == ({"name": "Dragon", "by": "alice"}, instance.slug)


def test_there_and_back_is_told_twice(instance, alice, alice_in_acme, carol):
    sharing.hand_over_instance(instance=instance, by=alice_in_acme, to=carol)
    carols = Membership.objects.get(user=carol)
    sharing.hand_over_instance(instance=instance, by=carols, to=alice)
    sharing.hand_over_instance(instance=instance, by=alice_in_acme, to=carol)
    assert told() == [("handed_over", [name]) for name in ("carol", "alice", "carol")]


def test_whose_engine_is_taken_hears_of_it(instance, anna_in_acme):
    sharing.hand_over_instance(instance=instance, by=anna_in_acme, to=anna_in_acme.user)
    assert told() == [("taken_over", ["alice"])]
    assert Notification.objects.get().context == {"name": "Dragon", "by": "anna", "to": "anna"}


# --- tokens ---


def test_a_new_token_is_told_to_whom_it_stands_for(alice_in_acme):
    wanted = Wanted("render farm", "use", timedelta(days=30))
    made = [make_api_token(by=alice_in_acme, instance=None, wanted=wanted) for _ in range(2)]
    assert told() == [("token_created", ["alice"])] * 2
    assert Notification.objects.first().context == {"name": "render farm", "by": "alice"}
    assert deliver_due()
    for message in mail.outbox:
        assert not any(token.secret in message.body or token.token.key_id in message.body for token in made)


def test_a_token_that_is_refused_is_not_told(instance, bob_in_bolt):
    with pytest.raises(Exception, match="nothing here"):
        make_api_token(by=bob_in_bolt, instance=instance, wanted=Wanted("x", "use", timedelta(days=1)))
    assert told() == []


def _dora(alice_in_acme):
    user = factories.make_user("dora")
    factories.join(user, alice_in_acme.tenant)
    return user
