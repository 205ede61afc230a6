"""Why is it still on, when will it stop, why did it stop: on list and page, and told to open pages no oftener than needed."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import redis
from django.conf import settings
from django.utils import timezone

from engines.clusters.base import Load
from engines.models import Instance, Use
from engines.release import marking
from engines.release.asking import words_of
from engines.states import InstanceState
from tenants.rights import gateway_channel
from tests import factories
from tests.driving import drive
from tests.idle.conftest import record


@pytest.fixture
def running(acme, alice, cluster) -> Instance:
    return factories.make_instance(acme, alice, cluster, state=InstanceState.RUNNING, ready_at=timezone.now(), run_id="one")


@pytest.fixture
def page(client, alice, running):
    client.force_login(alice)
    return lambda tab="overview": client.get(f"/acme/instances/{running.slug}/?tab={tab}").content.decode()


def known(instance: Instance, **fields: object) -> Use:
    return Use.objects.create(instance=instance, run_id=instance.run_id, looked_at=timezone.now(), **fields)


@contextmanager
def told() -> Iterator[list[str]]:
    """Collect the slugs that open pages and the gateway are told of."""
    slugs: list[str] = []
    with redis.Redis.from_url(settings.REDIS_URL, decode_responses=True) as valkey, valkey.pubsub() as subscription:
        subscription.subscribe(gateway_channel())
        assert subscription.get_message(timeout=5)["type"] == "subscribe"
        yield slugs
        valkey.publish(gateway_channel(), "end of test")
        while (message := subscription.get_message(timeout=5))["data"] != "end of test":
            slugs.append(message["data"])


def test_use_far_from_the_end_changes_no_page(launch, look, pass_time):
    instance = launch()
    pass_time(instance, minutes=11)
    look(instance)
    with told() as slugs:
        look(instance)
    assert slugs == []


def test_pages_hear_that_the_end_comes_near_and_that_it_is_off_again(launch, look, pass_time):
    instance = launch()
    pass_time(instance, minutes=11)
    look(instance)
    pass_time(instance, minutes=11)
    with told() as slugs:
        use = look(instance)
    assert use.due_at - timezone.now() < timedelta(minutes=10)
    assert slugs == [instance.slug]
    with told() as slugs:
        look(instance)
    assert slugs == []  # pages count down by themselves
    record(instance, user_at=timezone.now())
    with told() as slugs:
        look(instance)
    assert slugs == [instance.slug]


def test_the_page_says_why_it_is_on_and_when_it_stops(running, page):
    known(running, why="used", user_at=timezone.now(), due_at=timezone.now() + timedelta(minutes=20), evidence="")
    shown = page("release")
    assert "Somebody used it." in shown
    assert "Released at the earliest" in shown


@pytest.mark.parametrize("why", ["busy", "unknown", "stream", "load"])
def test_no_end_is_promised_for_what_holds_it_beyond_the_due_moment(running, page, why):
    known(running, why=why, due_at=timezone.now() - timedelta(minutes=3))
    assert running.slug in page("release")
    assert "stay__soon" not in page()


def test_the_list_warns_of_the_end(running, client, alice):
    client.force_login(alice)
    use = known(running, why="used", due_at=timezone.now() + timedelta(minutes=30))
    assert "stay__soon" not in client.get("/acme/").content.decode()
    Use.objects.filter(pk=use.pk).update(due_at=timezone.now() + timedelta(minutes=9))
    assert "stay__soon" in client.get("/acme/").content.decode()


def test_what_is_known_of_an_earlier_run_is_not_shown_of_this_one(running, page):
    known(running, why="used", due_at=timezone.now() + timedelta(minutes=5))
    Instance.objects.update(run_id="two")
    assert "stay__soon" not in page()
    assert "looks at it for the first time" in page("release")


def test_the_page_says_why_it_stopped(launch, look, pass_time, client, alice):
    instance = launch()
    pass_time(instance, hours=1)
    look(instance, times=2)
    pass_time(instance, seconds=21)
    assert marking.finish(instance.pk)
    drive(instance, "stopped")
    client.force_login(alice)
    for address in ("/acme/", f"/acme/instances/{instance.slug}/", f"/acme/instances/{instance.slug}/?tab=release"):
        assert "Nobody used the engine and it was not busy" in client.get(address).content.decode()


@pytest.mark.parametrize(
    ("load", "words"),
    [
        (Load(0.02), ""),
        (Load(0.24, 0.04), ""),
        (Load(1.0), "CPU 100% of a core"),
        (Load(0.02, 0.97), "GPU 97%"),
        (Load(2.5, 0.5), "CPU 250% of a core, GPU 50%"),
    ],
)
def test_only_load_that_means_work_is_told(load, words):
    assert words_of(load) == words
