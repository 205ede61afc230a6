"""A real engine's page in a tab that nobody looks at, through the real gateway, keeps nothing on; work does, without any tab."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from engines.activity.recorded import read
from engines.models import Engine, Instance, Use
from engines.release import looking
from tests import factories
from tests.engines.loom_process import loom
from tests.gateway.test_streams import open_socket
from tests.waiting import wait_until


@pytest.fixture
def tab(gateway, make_instance, tmp_path: Path, alice_client) -> Iterator[tuple[Instance, str]]:
    """Loom behind the gateway, ready for two hours and never used, and alice's cookie for it."""
    with loom(2, tmp_path, port=gateway.free_engine_port):
        engine = Engine.objects.create(slug="loom", name="Loom", family="sd-webui")
        version = factories.make_engine_version(engine=engine, activity={"poll": ["^/api/(images|state)\\b"]})
        instance = make_instance(
            engine_version=version,
            upstream=f"127.0.0.1:{gateway.free_engine_port}",
            ready_at=timezone.now() - timedelta(hours=2),
            run_id="run",
        )
        yield instance, gateway.sign_in(alice_client, instance)


def look(instance: Instance) -> Use:
    """Two looks, a minute apart."""
    for _number in range(2):
        Use.objects.filter(instance=instance, looked_at__isnull=False).update(looked_at=timezone.now() - timedelta(minutes=1))
        looking.look_at_all()
    return Use.objects.get(instance=instance)


def heard(instance: Instance) -> object:
    """Whether gwauth has told of any request."""
    return read([instance.slug])[instance.slug].any_at


def test_an_open_tab_that_asks_again_and_again_is_released(gateway, tab):
    instance, cookie = tab
    host = gateway.host(instance)
    with open_socket(gateway, host, cookie=cookie, origin=f"http://{host}"):
        assert gateway.call(instance, "/api/images", cookie).status == 200
        assert gateway.call(instance, "/sdapi/v1/progress", cookie).status == 200
        wait_until(lambda: heard(instance))
        assert look(instance).why == "idle"


def test_a_socket_that_comes_again_and_again_is_no_use(gateway, tab):
    instance, cookie = tab
    host = gateway.host(instance)
    for _number in range(5):
        with open_socket(gateway, host, cookie=cookie, origin=f"http://{host}"):
            pass
    wait_until(lambda: heard(instance))
    assert look(instance).why == "idle"


def test_a_generation_is_not_released_when_its_tab_is_closed(gateway, tab):
    """The page's request has begun a job and is gone; the engine's own word is what is left."""
    instance, cookie = tab
    host = gateway.host(instance)
    with open_socket(gateway, host, cookie=cookie, origin=f"http://{host}"):
        body = {"prompt": "a harbour at night", "steps": 60, "width": 1024, "height": 1024}
        assert begin_job(gateway, instance, cookie, body) in {200, 201, 202}
    Use.objects.filter(instance=instance).delete()
    use = look(instance)
    assert (use.why, use.releasing_since) == ("busy", None)


def begin_job(gateway, instance: Instance, cookie: str, body: dict[str, object]) -> int:
    """Press “Make” as Loom's own page does."""
    answer = gateway.send(
        gateway.host(instance),
        "/api/jobs",
        "POST",
        {"Cookie": cookie, "Origin": f"http://{gateway.host(instance)}", "Content-Type": "application/json"},
        json.dumps(body).encode(),
    )
    return answer.status
