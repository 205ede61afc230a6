"""Whoever uses an engine that is about to be released wins, through the real gateway; open tabs do not."""

from collections.abc import Callable

import pytest
from django.utils import timezone

from engines import live
from engines.idle.decision import Why
from engines.models import Instance, Use
from tests import factories
from tests.waiting import wait_until

ACTIVITY = {"work": ["^/result$"], "poll": ["^/queue$"]}


@pytest.fixture
def marked(make_instance: Callable[..., Instance]) -> Callable[..., Instance]:
    """An engine whose release has begun."""

    def make(why: Why = Why.IDLE) -> Instance:
        instance = make_instance(engine_version=factories.make_engine_version(activity=ACTIVITY))
        Use.objects.create(instance=instance, run_id=instance.run_id, why=why, releasing_since=timezone.now())
        live.announce(instance)
        return instance

    return make


def is_marked(instance: Instance) -> bool:
    return Use.objects.filter(instance=instance, releasing_since__isnull=False).exists()


def test_what_a_tab_asks_by_itself_does_not_stop_a_release(gateway, marked, alice_client):
    instance = marked()
    cookie = gateway.sign_in(alice_client, instance)
    assert gateway.call(instance, "/queue", cookie).status == 200
    assert gateway.call(instance, "/style.css", cookie).status == 200
    assert is_marked(instance)


@pytest.mark.parametrize(("ask", "path"), [("visit", "/"), ("call", "/result")])
def test_whoever_opens_a_page_or_waits_for_work_stops_it(gateway, marked, alice_client, ask, path):
    instance = marked()
    begun_at = timezone.now()
    assert getattr(gateway, ask)(instance, path, gateway.sign_in(alice_client, instance)).status == 200
    use = Use.objects.get(instance=instance)
    assert use.releasing_since is None
    assert use.user_at >= begun_at


def test_a_program_stops_it_too(gateway, marked, make_token):
    instance = marked()
    assert gateway.ask(instance, make_token(instance).secret, "/anything", "POST").status == 200
    assert not is_marked(instance)


@pytest.mark.parametrize("why", [Why.LIFE_OVER, Why.SCHEDULE])
def test_what_ends_in_any_case_ends_however_much_it_is_used(gateway, marked, alice_client, why):
    instance = marked(why)
    assert gateway.visit(instance, cookie=gateway.sign_in(alice_client, instance)).status == 200
    assert is_marked(instance)


def test_a_mark_of_an_earlier_run_is_none(gateway, marked, alice_client):
    instance = marked()
    Instance.objects.filter(pk=instance.pk).update(run_id="another")
    live.announce(instance)
    assert gateway.visit(instance, cookie=gateway.sign_in(alice_client, instance)).status == 200
    assert is_marked(instance)


def test_nothing_passes_once_a_release_is_decided_though_the_engine_still_runs(gateway, marked, alice_client):
    instance = marked()
    cookie = gateway.sign_in(alice_client, instance)
    assert gateway.call(instance, "/style.css", cookie).status == 200
    Use.objects.update(releasing_since=None)
    Instance.objects.filter(pk=instance.pk).update(desired_state="stopped")
    live.announce(instance)
    wait_until(lambda: gateway.call(instance, "/style.css", cookie).status == 503)
    answer = gateway.visit(instance, "/deep?link=1", cookie)
    assert (answer.status, answer["Location"].partition("?")[2]) == (302, "rd=%2Fdeep%3Flink%3D1")
