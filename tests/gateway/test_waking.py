"""The page on which somebody waits for an engine that does not run."""

from datetime import timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Timer

import pytest
from django.contrib.staticfiles import finders
from django.urls import reverse
from django.utils import timezone

from billing.pricing import set_price
from engines.faces import face_of
from engines.models import Instance, InstanceEvent
from engines.operations.instances import pause_instance
from engines.states import DesiredState, InstanceState
from gateway import handoff
from gateway.waiting import retry_seconds
from tenants.models import Membership, Role, Tenant
from tests import factories
from tests.gateway.conftest import portal_client

PAUSED = {"state": "stopped", "desired_state": "stopped", "reason": "paused"}
FAILED = {"state": "failed", "desired_state": "running", "reason": "engine_exited", "settled_generation": 1}
STARTING = {"state": "starting", "desired_state": "running", "reason": "engine_starting"}


BY_HAND = {
    "Sec-Fetch-Site": "none",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-User": "?1",
}
PART = {"HX-Request": "true"}


def wish_of(instance: Instance) -> tuple[str, int]:
    instance.refresh_from_db()
    return instance.desired_state, instance.generation


def address(instance: Instance, path: str = "/deep?link=1") -> str:
    return reverse("waking", args=[instance.slug]) + "?" + f"rd={path.replace('?', '%3F').replace('=', '%3D')}"


BUTTONS = ("Start", "Retry", "Cancel")
QUEUED = STARTING | {"state": "queued", "reason": "no_capacity"}
CASES = [
    (PAUSED, "{name} is paused.", "Paused on request. The data is kept, and the GPU goes back to the others.", "Start"),
    (FAILED, "{name} could not run.", "The engine ended by itself. Its data is safe. Look at its log", "Retry"),
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
    assert "<dt>Last request</dt><dd>anna, <time" in page
    assert "anna paused it a moment ago, so it is not started by itself." in page
    Instance.objects.update(state="starting", reason="engine_starting")
    page = " ".join(alice_client.get(address(instance)).content.decode().split())
    assert "Paused on request. The data is kept, and the GPU goes back to the others. anna, <time" in page


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
    assert (wish_of(instance), InstanceEvent.objects.count()) == (("stopped", 1), 0)


def test_whoever_it_is_shared_with_may_wake_it_and_take_that_back_but_nothing_else(make_row, acme, alice_client):
    instance = make_row(**PAUSED)
    carol = factories.make_user("carol")
    factories.join(carol, acme)
    factories.share(instance, carol)
    client = portal_client(carol)
    assert client.post(reverse("waking-start", args=[instance.slug]), {"rd": "/"}).status_code == 302
    assert wish_of(instance) == ("running", 2)
    Instance.objects.update(state="starting")
    assert client.post(reverse("waking-cancel", args=[instance.slug]), {"rd": "/"}).status_code == 302
    assert wish_of(instance) == ("stopped", 3)

    Instance.objects.update(state="stopped")
    alice_client.post(reverse("waking-start", args=[instance.slug]), {"rd": "/"})
    Instance.objects.update(state="starting")
    assert reverse("waking-cancel", args=[instance.slug]) not in client.get(address(instance)).content.decode()
    assert client.post(reverse("waking-cancel", args=[instance.slug]), {"rd": "/"}).status_code == 403
    assert wish_of(instance) == ("running", 4)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.FINANCE])
def test_who_may_not_visit_may_not_wake(make_row, acme, role):
    instance = make_row(**PAUSED)
    carol = factories.make_user("carol")
    factories.join(carol, acme, role)
    client = portal_client(carol)
    assert client.get(address(instance)).status_code == 403
    for action in ("waking-start", "waking-cancel"):
        assert client.post(reverse(action, args=[instance.slug]), {"rd": "/"}).status_code == 403
    assert (wish_of(instance), InstanceEvent.objects.count()) == (("stopped", 1), 0)


def test_a_suspended_team_learns_that_it_is(make_row, acme, alice_client):
    instance = make_row(**PAUSED)
    Tenant.objects.update(suspended_at=timezone.now())
    for answer in (alice_client.get(address(instance)), alice_client.post(reverse("waking-start", args=[instance.slug]))):
        assert answer.status_code == 403
        assert "Acme Studio is suspended." in answer.content.decode()
    assert wish_of(instance) == ("stopped", 1)


@pytest.mark.parametrize(("state", "status"), [("deleting", 200), ("deleted", 404)])
def test_what_is_deleted_cannot_be_woken(make_row, alice_client, state, status):
    instance = make_row(state=state, desired_state="deleted")
    answer = alice_client.get(address(instance), headers=BY_HAND)
    assert answer.status_code == status
    page = answer.content.decode()
    assert ("is being deleted." in page) == (status == 200)
    assert "waking-start" not in page
    assert alice_client.post(reverse("waking-start", args=[instance.slug])).status_code == {200: 422, 404: 404}[status]
    assert wish_of(instance) == ("deleted", 1)


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
    fragment = alice_client.get(address(instance), headers=PART)
    assert fragment.status_code == 200
    assert f'data-forward="{engine}"' in fragment.content.decode()
    assert f'data-title="Ready: {instance.name}"' in fragment.content.decode()


def test_it_does_not_send_people_to_an_engine_without_an_address(make_row, alice_client):
    """The gateway would send them back, and so on."""
    instance = make_row(upstream="")
    assert alice_client.get(address(instance)).status_code == 200
    assert "data-forward" not in alice_client.get(address(instance), headers=PART).content.decode()
    answer = alice_client.get(f"/gw/authorize?instance={instance.slug}&n={'0' * 64}&rd=/")
    assert answer["Location"] == f"/gw/waking/{instance.slug}/?rd=%2F"


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
    page = answer.context["page"]
    assert (page.explanation, page.steps, page.starts_by_itself) == (None, [], False)


def test_it_has_the_frame_of_its_tenant(make_row, alice_client):
    page = alice_client.get(address(make_row(**PAUSED)))
    assert page.context["current_tenant"].slug == "acme"
    assert 'href="/acme/costs/"' in page.content.decode()


@pytest.mark.parametrize("part", [{}, PART], ids=["page", "part"])
def test_a_refusal_is_said_on_the_page(make_row, acme, alice_client, part):
    instance = make_row(**PAUSED)
    factories.cap(acme, running=0)
    answer = alice_client.post(reverse("waking-start", args=[instance.slug]), {"rd": "/"}, headers=part)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "limit of 0 running instances for Acme Studio: 0 in use, 1 more needed. Only operators can raise it." in page
    assert ("<html" in page, "data-wake" in page) == (not part, False)
    assert wish_of(instance) == ("stopped", 1)


def test_a_browser_without_scripts_goes_on_looking_also_after_a_refusal(make_row, alice_client):
    instance = make_row(state="stopping", desired_state="stopped")
    answer = alice_client.post(reverse("waking-cancel", args=[instance.slug]), {"rd": "/deep?link=1"})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert f"{instance.name} is no longer starting. Pause it instead." in page
    assert f'http-equiv="refresh" content="3; url={address(instance, "%2Fdeep%3Flink%3D1")}"' in page


def test_an_open_page_is_sent_only_what_changed(make_row, alice_client, django_assert_num_queries):
    instance = make_row(**QUEUED)
    first = alice_client.get(address(instance), headers=PART)
    known = {"rd": "/deep", "seen": first.context["page"].version}
    assert alice_client.get(reverse("waking", args=[instance.slug]), known, headers=PART).status_code == 204
    make_row(**QUEUED)  # behind it
    assert alice_client.get(reverse("waking", args=[instance.slug]), known, headers=PART).status_code == 204
    ahead = make_row(**QUEUED, queued_at=instance.queued_at - timedelta(seconds=1), gpu_class=instance.gpu_class)
    again = alice_client.get(reverse("waking", args=[instance.slug]), known, headers=PART)
    assert (again.status_code, again.context["page"].title) == (200, f"Place 2 · {instance.name}")
    Instance.objects.filter(pk=ahead.pk).update(state="running")
    with django_assert_num_queries(5):  # session, person, instance, membership, place
        assert alice_client.get(reverse("waking", args=[instance.slug]), known, headers=PART).status_code == 204


def test_it_shows_what_it_costs_and_where_it_runs(make_row, alice_client):
    instance = make_row(**PAUSED)
    page = alice_client.get(address(instance)).content.decode()
    assert "no price set" in page
    set_price(gpu_class=instance.gpu_class, per_hour=Decimal("0.36"), starts_at=timezone.now() - timedelta(hours=1))
    page = " ".join(alice_client.get(address(instance)).content.decode().split())
    assert '<dt>While it runs</dt><dd><span class="num">USD 0.36</span> per hour</dd>' in page
    assert "Charged by the second from the moment the engine is ready." in page
    assert f"<dt>Runs on</dt><dd>{instance.cluster.name}, on premises</dd>" in page
    assert "<code>/deep?link=1</code>" in page


def test_a_program_is_told_to_ask_again_when_starts_are_usually_over(make_row):
    instance = make_row(**STARTING)
    now = timezone.now()
    assert retry_seconds(instance, now=now) == 10  # nobody knows
    for state, after in (("queued", 0), ("provisioning", 5), ("starting", 25), ("running", 65)):  # 20 s, then 40 s
        at = now - timedelta(hours=1) + timedelta(seconds=after)
        instance.events.create(kind="transition", at=at, new_state=state, reason="ready", generation=1)

    def seconds(state: str, reason: str = "", *, ago: int = 0, desired: str = "running") -> int:
        instance.state, instance.reason, instance.desired_state = state, reason, desired
        instance.state_since = now - timedelta(seconds=ago)
        return retry_seconds(instance, now=now)

    assert seconds("stopped") == 60  # 20 + 40
    assert seconds("provisioning", ago=5) == 55
    assert seconds("starting", ago=15) == 25
    assert seconds("starting", ago=300) == 2
    assert seconds("queued", "no_capacity") == 15
    assert seconds("stopped", desired="stopped") == 60


def test_a_socket_that_reconnects_again_and_again_wakes_nothing(gateway, instance, signed_in):
    Instance.objects.filter(pk=instance.pk).update(**PAUSED)
    host = gateway.host(instance)
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "A" * 22 + "==",
    }
    for _reconnects in range(5):
        answer = gateway.send(host, "/ws", headers=upgrade | {"Cookie": signed_in, "Origin": f"http://{host}"})
        assert (answer.status, answer["Retry-After"]) == (503, "60")
        assert answer.json() == {"state": "stopped", "message": f"{instance.name} is paused."}
    assert (wish_of(instance), InstanceEvent.objects.count()) == (("stopped", 1), 0)


def test_the_first_visitor_of_an_engine_that_is_just_coming_up_waits_instead_of_failing(gateway, instance, signed_in):
    """Ready is what its cluster says; the gateway's own way to it may take a moment longer."""
    Instance.objects.filter(pk=instance.pk).update(upstream=f"127.0.0.1:{gateway.free_engine_port}")
    late: list[HTTPServer] = []

    def listen() -> None:
        late.append(HTTPServer(("127.0.0.1", gateway.free_engine_port), Hello))
        late[0].handle_request()

    timer = Timer(1.0, listen)
    timer.start()
    try:
        assert gateway.visit(instance, "/deep", cookie=signed_in).body == b"hello"
    finally:
        timer.join()
        late[0].server_close()


class Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_words: object) -> None:
        pass


def test_every_face_has_an_icon_for_the_tab():
    kinds = {face_of(Instance(state=state, desired_state=wish)).kind for state in InstanceState for wish in DesiredState}
    assert {kind for kind in kinds if finders.find(f"icons/state-{kind}.svg") is None} == set()
