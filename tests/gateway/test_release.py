"""Real engines, used through the real gateway until they are released: what an open tab does not keep on, and what work does."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest
from django.utils import timezone
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from engines.models import Instance, Use
from engines.operations import instances
from engines.release import looking, marking
from engines.states import DesiredState
from tenants.notifications.models import Notification
from tests.driving import drive
from tests.gateway.tab import Tab, told
from tests.idle.conftest import age, look_at
from tests.waiting import wait_until

LONG_WORK = {"prompt": "a harbour at night", "steps": 60, "width": 1024, "height": 1024, "n_iter": 8, "batch_size": 8}


@contextmanager
def socket_stays_open(tab: Tab) -> Iterator[Callable[[], None]]:
    """The page's socket stays open, and the page asks again by itself."""
    with tab.connect() as channel:
        yield lambda: poll(tab)
        with pytest.raises(ConnectionClosed):
            read_to_the_end(channel)


def read_to_the_end(channel: ClientConnection) -> NoReturn:
    while True:
        channel.recv(timeout=10)


@contextmanager
def socket_comes_again_and_again(tab: Tab) -> Iterator[Callable[[], None]]:
    """The page's socket never lasts, so the page connects again: each time another request."""

    def reconnect() -> None:
        for _number in range(3):
            with tab.connect() as channel:
                assert json.loads(channel.recv(timeout=10))

    yield reconnect


def poll(tab: Tab) -> None:
    """Ask as such pages do: by GET, and by POST under the path that its family's rules know (this engine does not)."""
    assert tab.poll("/api/images", "/sdapi/v1/progress") == [200, 200]
    assert tab.post("/internal/progress", {}).status == 404


NO_RULES = {"poll": [], "work": []}


@pytest.mark.parametrize(("left_open", "activity"), [(socket_stays_open, {}), (socket_comes_again_and_again, NO_RULES)])
def test_a_tab_that_nobody_looks_at_keeps_nothing_on_and_wakes_nothing(launch, open_tab, left_open, activity):
    instance = launch(activity=activity)
    age(instance, hours=2)
    tab, begun_at = open_tab(instance), timezone.now()
    with left_open(tab) as go_on:
        go_on()
        known = told(instance, begun_at, "any_at")
        assert (known.user_at, known.api_at, known.work_at) == (None, None, None)
        assert look_at(instance).why == "one_more_look"
        age(instance, minutes=1)
        go_on()
        use = look_at(instance)
        assert (use.why, use.releasing_since is not None) == ("idle", True)
        go_on()  # during the notice too
        age(instance, seconds=21)
        assert marking.finish(instance.pk)
        drive(instance, "stopped")
    assert instance.events.filter(kind="wish").last().reason == "idle_released"
    wait_until(lambda: status_of_socket(tab) == 503)
    instance.refresh_from_db()
    assert (instance.state, instance.desired_state) == ("stopped", DesiredState.STOPPED)


def status_of_socket(tab: Tab) -> int:
    with pytest.raises(InvalidStatus) as refused:
        tab.connect()
    return refused.value.response.status_code


def test_a_generation_is_never_ended_though_its_tab_is_closed(launch, open_tab):
    """Three times as long as an idle engine may stay on, the engine's own word is all that keeps it."""
    instance = launch()
    age(instance, hours=2)
    tab, begun_at = open_tab(instance), timezone.now()
    with tab.connect():
        assert tab.post("/api/jobs", LONG_WORK).status == 202
    told(instance, begun_at, "user_at")
    wait_until(lambda: jobs_of(instance))
    for _number in range(3):
        age(instance, minutes=21)
        use = look_at(instance, times=2)
        assert (use.why, use.releasing_since, use.free_looks) == ("busy", None, 0)
    post(instance, "/sdapi/v1/interrupt")
    wait_until(lambda: not jobs_of(instance))
    assert look_at(instance, times=2).why == "idle"
    age(instance, seconds=21)
    assert marking.finish(instance.pk)
    drive(instance, "stopped")


def jobs_of(instance: Instance) -> int:
    """How many the engine works at, asked beside the gateway."""
    with urllib.request.urlopen(f"http://{instance.upstream}/sdapi/v1/progress?skip_current_image=true", timeout=10) as answer:
        return json.load(answer)["state"]["job_count"]


def post(instance: Instance, path: str) -> None:
    urllib.request.urlopen(f"http://{instance.upstream}{path}", b"", timeout=10).close()


def test_an_engine_that_fails_to_answer_is_not_idle_and_people_are_told(launch, open_tab, ask):
    """Healthy for the cluster, and reached through the gateway, but of no use to whoever asks whether it works."""
    fails, babbles, hangs = sick = [
        launch("--sick", sickness, family=family)
        for sickness, family in (("fails", "sd-webui"), ("babbles", "comfyui"), ("hangs", "gradio"))
    ]
    assert [*open_tab(fails).poll("/prompt"), *open_tab(babbles).poll("/prompt")] == [500, 200]
    for instance in sick:
        age(instance, hours=2)
    looking.look_at_all()
    uses = {each.instance_id: each for each in Use.objects.all()}
    seen = [(use.why, use.releasing_since, use.free_looks, use.evidence) for use in (uses[each.pk] for each in sick)]
    assert seen == [
        ("unknown", None, 0, "sdwebui progress: HTTP 500"),
        ("unknown", None, 0, "comfyui: neither JSON nor an address: JSONDecodeError"),
        ("unknown", None, 0, "gradio: timed out"),
    ]
    ask(instances.pause_instance, hangs)  # to be asked costs five seconds each time
    for instance in (fails, babbles):
        age(instance, minutes=31)
    looking.look_at_all()
    late = Use.objects.exclude(instance=hangs)
    assert set(late.values_list("why", "releasing_since")) == {("unknown_too_long", None)}
    warnings = Notification.objects.filter(kind="probe_unknown").values_list("subject", flat=True)
    assert sorted(warnings) == sorted([fails.slug, babbles.slug])
