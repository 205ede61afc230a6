"""How often a visit starts an engine by itself, and what it does not undo."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from engines.models import Instance, InstanceEvent
from engines.operations.instances import rename_instance
from gateway import handoff, wakes
from gateway.waiting import STOP_HOLDS
from tenants.models import Membership, User
from tests import factories
from tests.gateway.conftest import portal_client

PAUSED = {"state": "stopped", "desired_state": "stopped", "reason": "paused"}
FAILED = {"state": "failed", "desired_state": "running", "reason": "engine_exited", "settled_generation": 1}
BY_HAND = {
    "Sec-Fetch-Site": "none",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-User": "?1",
}


@pytest.fixture
def press(alice_client):
    """POST as the waking page does: a start by the page itself, or by a person's click."""

    def run(instance: Instance, by: str = "page", client=alice_client):
        return client.post(reverse("waking-start", args=[instance.slug]), {"rd": "/", "by": by}, headers={"HX-Request": "true"})

    return run


@pytest.fixture
def no_valkey(settings):
    url, settings.REDIS_URL = settings.REDIS_URL, "redis://127.0.0.1:1/0"
    handoff.valkey.cache_clear()
    yield
    settings.REDIS_URL = url
    handoff.valkey.cache_clear()


def wish_of(instance: Instance) -> tuple[str, int]:
    instance.refresh_from_db()
    return instance.desired_state, instance.generation


def rest(instance: Instance) -> None:
    """Bring it back to rest, as the portal's own release does: nobody asked."""
    Instance.objects.filter(pk=instance.pk).update(**PAUSED)


def wished(instance: Instance, reason: str, actor, ago: timedelta) -> None:
    at = timezone.now() - ago
    instance.events.create(kind="wish", at=at, actor=actor, reason=reason, generation=instance.generation)


def test_the_page_starts_it_once_and_then_waits_for_a_click(make_row, press):
    instance = make_row(**PAUSED)
    assert "is starting." in press(instance).content.decode()
    assert wish_of(instance) == ("running", 2)
    rest(instance)
    answer = press(instance)
    assert "This time it is not started by itself." in answer.content.decode()
    assert (answer.status_code, wish_of(instance)) == (200, ("stopped", 2))
    assert press(instance, by="person").status_code == 200
    assert wish_of(instance) == ("running", 3)


def test_the_half_minute_is_the_instances_and_ends(make_row, press, settings):
    first, second = make_row(**PAUSED), make_row(**PAUSED)
    press(first)
    press(second)
    assert (wish_of(first), wish_of(second)) == (("running", 2), ("running", 2))
    name = f"{settings.REDIS_PREFIX}:gw:wake:i:{first.slug}"
    assert 0 < handoff.valkey().ttl(name) <= wakes.QUIET_SECONDS
    handoff.valkey().delete(name)  # as when its time is over
    rest(first)
    press(first)
    assert wish_of(first) == ("running", 3)


def test_a_page_that_finds_it_coming_counts_nothing(make_row, press, settings):
    instance = make_row(state="starting", desired_state="running")
    for by in ("page", "person"):
        assert press(instance, by=by).status_code == 200
    assert wish_of(instance) == ("running", 1)
    assert handoff.valkey().keys(f"{settings.REDIS_PREFIX}:gw:wake:*") == []


@pytest.mark.parametrize("by", ["page", "person"])
def test_a_person_starts_ten_an_hour(make_row, press, acme, settings, by):
    instance = make_row(**PAUSED)
    for _ in range(wakes.PER_HOUR):
        assert press(instance, by="person").status_code == 200
        rest(instance)
    before = wish_of(instance)
    answer = press(instance, by=by)
    assert (answer.status_code, wish_of(instance)) == (422, before)
    sentence = "You have started 10 paused engines within an hour, which is the limit. Try again in 60 minutes."
    assert sentence in answer.content.decode()
    assert 0 < handoff.valkey().ttl(f"{settings.REDIS_PREFIX}:gw:wake:u:{instance.owner_id}") <= wakes.HOUR_SECONDS

    carol = factories.make_user("carol")
    factories.join(carol, acme)
    factories.share(instance, carol)
    assert press(instance, by="person", client=portal_client(carol)).status_code == 200
    assert wish_of(instance) == ("running", before[1] + 1)


def test_without_valkey_only_a_click_starts_it(make_row, press, no_valkey):
    instance = make_row(**PAUSED)
    assert "This time it is not started by itself." in press(instance).content.decode()
    assert wish_of(instance) == ("stopped", 1)
    assert press(instance, by="person").status_code == 200
    assert wish_of(instance) == ("running", 2)


SHORT = timedelta(seconds=10)
LONG = STOP_HOLDS + timedelta(seconds=10)
STOPS = {
    "paused": ("paused", "alice", SHORT, False),
    "cancelled": ("cancelled", "alice", SHORT, False),
    "paused long ago": ("paused", "alice", LONG, True),
    "released by the portal": ("paused", None, SHORT, True),
    "resumed, then ended": ("resumed", "alice", SHORT, True),
}


@pytest.mark.parametrize(("reason", "actor", "ago", "starts"), STOPS.values(), ids=STOPS)
def test_a_visit_does_not_undo_what_a_person_has_just_stopped(make_row, alice_client, press, reason, actor, ago, starts):  # noqa: PLR0917
    instance = make_row(**PAUSED)
    wished(instance, reason, User.objects.filter(username=actor).first(), ago)
    page = alice_client.get(reverse("waking", args=[instance.slug]), headers=BY_HAND).content.decode()
    assert ('data-wake="now"' in page) == starts
    assert ("You paused it a moment ago, so it is not started by itself." in page) == (not starts)
    press(instance)
    assert wish_of(instance) == (("running", 2) if starts else ("stopped", 1))


def test_another_name_does_not_hide_who_stopped_it(make_row, alice, alice_client, press):
    instance = make_row(**PAUSED)
    wished(instance, "paused", alice, SHORT)
    rename_instance(instance=instance, by=Membership.objects.get(user=alice), name="Another")
    press(instance)
    assert wish_of(instance) == ("stopped", 1)


def test_what_failed_is_tried_again_only_by_a_click(make_row, alice_client, press):
    instance = make_row(**FAILED)
    page = alice_client.get(reverse("waking", args=[instance.slug]), headers=BY_HAND).content.decode()
    assert "data-wake" not in page
    press(instance)
    assert (wish_of(instance), InstanceEvent.objects.count()) == (("running", 1), 0)
    press(instance, by="person")
    assert wish_of(instance) == ("running", 2)


def test_without_the_token_the_pages_own_start_is_refused(make_row, alice, press):
    instance = make_row(**PAUSED)
    client = portal_client(alice)
    client.handler.enforce_csrf_checks = True
    assert press(instance, client=client).status_code == 403
    assert (wish_of(instance), InstanceEvent.objects.count()) == (("stopped", 1), 0)


def test_a_stranger_starts_nothing_and_is_not_counted(make_row, bob_client, press, settings):
    instance = make_row(**PAUSED)
    for by in ("page", "person"):
        assert press(instance, by=by, client=bob_client).status_code == 404
    assert (wish_of(instance), InstanceEvent.objects.count()) == (("stopped", 1), 0)
    assert handoff.valkey().keys(f"{settings.REDIS_PREFIX}:gw:wake:*") == []
