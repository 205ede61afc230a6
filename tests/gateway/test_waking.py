"""The page on which somebody waits for an engine that does not run."""

import pytest
from django.urls import reverse

from engines.models import Instance, InstanceEvent
from engines.operations.instances import pause_instance
from gateway import handoff
from tenants.models import Membership
from tests import factories
from tests.gateway.conftest import portal_client

PAUSED = {"state": "stopped", "desired_state": "stopped", "reason": "paused"}
FAILED = {"state": "failed", "desired_state": "running", "reason": "engine_exited", "settled_generation": 1}
STARTING = {"state": "starting", "desired_state": "running", "reason": "engine_starting"}


def address(instance: Instance, path: str = "/deep?link=1") -> str:
    return reverse("waking", args=[instance.slug]) + "?" + f"rd={path.replace('?', '%3F').replace('=', '%3D')}"


BUTTONS = ("Start", "Try again", "Cancel")
QUEUED = STARTING | {"state": "queued", "reason": "no_capacity"}
CASES = [
    (PAUSED, "{name} is paused.", "Pause requested. The data is kept, and the GPU goes back to the others.", "Start"),
    (FAILED, "{name} could not run.", "The engine ended by itself. Its data is safe. Look at its log", "Try again"),
    (STARTING, "{name} is starting.", "The engine process is up and loading.", "Cancel"),
    (QUEUED, "{name} waits for a free GPU.", "All GPUs of this class are in use.", "Cancel"),
]


@pytest.mark.parametrize(("fields", "headline", "sentence", "button"), CASES, ids=["paused", "failed", "starting", "queued"])
def test_it_says_why_and_offers_what_helps(make_row, alice_client, fields, headline, sentence, button):
    instance = make_row(**fields)
    page = " ".join(alice_client.get(address(instance)).content.decode().split())
    assert f"<h1>{headline.format(name=instance.name)}</h1>" in page
    assert sentence in page
    assert [each for each in BUTTONS if f"> {each} <" in page or f">{each}<" in page] == [button]
    assert ('http-equiv="refresh"' in page) == (button == "Cancel")


def test_it_says_who_paused_it(make_row, anna, alice_client):
    instance = make_row()
    pause_instance(instance=instance, by=Membership.objects.get(user=anna))
    Instance.objects.update(state="stopped", reason="paused")
    page = " ".join(alice_client.get(address(instance)).content.decode().split())
    assert '<p class="muted small"> anna, <time' in page
    Instance.objects.update(state="starting", reason="engine_starting")
    page = " ".join(alice_client.get(address(instance)).content.decode().split())
    assert "Pause requested. The data is kept, and the GPU goes back to the others. anna, <time" in page


def test_looking_starts_nothing(make_row, alice_client, settings):
    instance = make_row(**PAUSED)
    for headers in ({}, {"HX-Request": "true"}, {"Sec-Purpose": "prefetch"}):
        assert alice_client.get(address(instance), headers=headers).status_code == 200
    for action in ("waking-start", "waking-cancel"):
        assert alice_client.get(reverse(action, args=[instance.slug])).status_code == 405
    instance.refresh_from_db()
    assert (instance.desired_state, instance.generation) == ("stopped", 1)
    assert InstanceEvent.objects.count() == 0
    assert handoff.valkey().keys(f"{settings.REDIS_PREFIX}:gw:code:*") == []


@pytest.mark.parametrize(("fields", "reason"), [(PAUSED, "resumed"), (FAILED, "retried")])
def test_start_asks_for_the_engine_and_comes_back(make_row, alice, alice_client, fields, reason):
    instance = make_row(**fields)
    answer = alice_client.post(reverse("waking-start", args=[instance.slug]), {"rd": "/deep?link=1"})
    assert (answer.status_code, answer["Location"]) == (302, address(instance).replace("/deep", "%2Fdeep"))
    instance.refresh_from_db()
    assert (instance.desired_state, instance.generation) == ("running", 2)
    event = InstanceEvent.objects.get()
    assert (event.reason, event.actor) == (reason, alice)
    page = alice_client.get(answer["Location"]).content.decode()
    assert f"<h1>{instance.name} is starting.</h1>" in page
    assert "waking-start" not in page


def test_start_needs_the_forms_token(make_row, alice):
    instance = make_row(**PAUSED)
    client = portal_client(alice)
    client.handler.enforce_csrf_checks = True
    assert client.post(reverse("waking-start", args=[instance.slug]), {"rd": "/"}).status_code == 403
    instance.refresh_from_db()
    assert instance.desired_state == "stopped"


def test_cancel_ends_the_way_up(make_row, alice_client):
    instance = make_row(**STARTING)
    answer = alice_client.post(reverse("waking-cancel", args=[instance.slug]), {"rd": "//evil.example"})
    assert (answer.status_code, answer["Location"]) == (302, f"/gw/waking/{instance.slug}/?rd=%2F")
    instance.refresh_from_db()
    assert instance.desired_state == "stopped"
    assert InstanceEvent.objects.get().reason == "cancelled"


def test_a_colleagues_instance_is_neither_waited_for_nor_started(make_row, acme):
    instance = make_row(**PAUSED)
    carol = factories.make_user("carol")
    factories.join(carol, acme)
    client = portal_client(carol)
    page = client.get(address(instance))
    assert page.status_code == 403
    assert "belongs to alice and is not shared with you" in page.content.decode()
    for action in ("waking-start", "waking-cancel"):
        assert client.post(reverse(action, args=[instance.slug]), {"rd": "/"}).status_code == 403
    instance.refresh_from_db()
    assert (instance.desired_state, instance.generation, InstanceEvent.objects.count()) == ("stopped", 1, 0)


def test_whoever_it_is_shared_with_may_wake_it_and_not_send_it_back_to_sleep(make_row, acme):
    instance = make_row(**PAUSED)
    carol = factories.make_user("carol")
    factories.join(carol, acme)
    factories.share(instance, carol)
    client = portal_client(carol)
    assert client.post(reverse("waking-start", args=[instance.slug]), {"rd": "/"}).status_code == 302
    event = InstanceEvent.objects.get()
    assert (event.reason, event.actor) == ("resumed", carol)
    Instance.objects.update(state="starting", reason="engine_starting")
    assert reverse("waking-cancel", args=[instance.slug]) not in client.get(address(instance)).content.decode()
    assert client.post(reverse("waking-cancel", args=[instance.slug]), {"rd": "/"}).status_code == 403
    instance.refresh_from_db()
    assert (instance.desired_state, instance.owner.username) == ("running", "alice")


def test_a_stranger_sees_and_changes_nothing(make_row, bob_client):
    instance = make_row(**PAUSED)
    assert bob_client.get(address(instance)).status_code == 404
    for action in ("waking-start", "waking-cancel"):
        assert bob_client.post(reverse(action, args=[instance.slug]), {"rd": "/"}).status_code == 404
    instance.refresh_from_db()
    assert (instance.desired_state, instance.generation, InstanceEvent.objects.count()) == ("stopped", 1, 0)


def test_once_it_runs_the_page_goes_on_to_where_the_visitor_wanted(make_row, alice_client):
    instance = make_row()
    engine = f"http://{instance.slug}.engines.localhost:8000/deep?link=1"
    page = alice_client.get(address(instance))
    assert (page.status_code, page["Location"]) == (302, engine)
    fragment = alice_client.get(address(instance), headers={"HX-Request": "true"})
    assert (fragment.status_code, fragment["HX-Redirect"]) == (200, engine)


def test_without_valkey_nobody_gets_a_code(make_row, alice_client, settings):
    url, settings.REDIS_URL = settings.REDIS_URL, "redis://127.0.0.1:1/0"
    handoff.valkey.cache_clear()
    try:
        answer = alice_client.get(f"/gw/authorize?instance={make_row().slug}&n={'0' * 64}&rd=/")
    finally:
        settings.REDIS_URL = url
        handoff.valkey.cache_clear()
    assert (answer.status_code, answer["Retry-After"]) == (503, "3")


@pytest.mark.parametrize("state", ["stopped", "stopping"])
def test_a_start_that_is_not_acted_on_yet_shows_nothing_of_the_last_run(make_row, alice_client, state):
    instance = make_row(**PAUSED | {"state": state, "desired_state": "running"})
    answer = alice_client.get(address(instance))
    assert f"<h1>{instance.name} is starting.</h1>" in answer.content.decode()
    assert (answer.context["explanation"], answer.context["steps"]) == (None, [])


def test_it_has_the_frame_of_its_tenant(make_row, alice_client):
    page = alice_client.get(address(make_row(**PAUSED)))
    assert page.context["current_tenant"].slug == "acme"
    assert 'href="/acme/costs/"' in page.content.decode()
