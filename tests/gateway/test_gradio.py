"""A real Gradio application behind the real gateway: its queue reads 0 while a job runs; the open stream tells that it does."""

import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from engines.activity.recorded import read
from engines.models import Engine, Instance, Use
from engines.release import looking
from tests import factories
from tests.gateway.driving import SCRIPT, Gateway, end, wait_for_port
from tests.gradio_app import driving
from tests.idle.conftest import record
from tests.waiting import wait_until


@pytest.fixture
def until(tmp_path: Path) -> Path:
    return tmp_path / "until"


@pytest.fixture
def app(gateway: Gateway, make_instance, until: Path, tmp_path: Path) -> Iterator[Instance]:
    """An instance whose engine is the application; it became ready two hours ago and nobody has used it since."""
    log = tmp_path / "gradio.log"
    with log.open("wb") as output:
        process = subprocess.Popen(driving.command(str(gateway.free_engine_port), until), stdout=output, stderr=output)
    try:
        wait_for_port(gateway.free_engine_port, process, log)
        engine = Engine.objects.create(slug="gradio", name="Gradio", family="gradio")
        yield make_instance(
            engine_version=factories.make_engine_version(engine=engine),
            upstream=f"127.0.0.1:{gateway.free_engine_port}",
            ready_at=timezone.now() - timedelta(hours=2),
            run_id="run",
        )
    finally:
        until.touch()
        end(process)


def look(instance: Instance) -> Use:
    """Two looks a minute apart, half an hour after everything that is known; only the open stream is of now."""
    for _number in range(2):
        Use.objects.filter(instance=instance, looked_at__isnull=False).update(looked_at=timezone.now() - timedelta(minutes=1))
        looking.look_at_all()
    return Use.objects.get(instance=instance)


def test_a_running_job_is_not_released_though_the_queue_reads_0(gateway, app, alice_client, until):
    headers = SCRIPT | {"Host": gateway.host(app), "Cookie": gateway.sign_in(alice_client, app)}
    address = f"127.0.0.1:{gateway.port}"
    driving.click(address, headers)
    with driving.listening(address, headers) as events:
        driving.wait_for(events, "process_starts")
        assert driving.queue_size(app.upstream) == 0
        wait_until(lambda: (known := read([app.slug])[app.slug]).work_at and known.user_at)
        forget(app, "user_at")
        use = look(app)
        assert (use.why, use.releasing_since) == ("stream", None)
        until.touch()
        finished = driving.wait_for(events, "process_completed")
    assert finished["output"]["data"] == ["A HARBOUR"]
    over_at = timezone.now()
    wait_until(lambda: read([app.slug])[app.slug].streams_at > over_at, seconds=30)  # gwauth has counted since
    forget(app, "user_at", "work_at")
    assert look(app).why == "idle"


def forget(instance: Instance, *moments: str) -> None:
    """What was known is half an hour old."""
    long_ago = timezone.now() - timedelta(minutes=30)
    record(instance, **dict.fromkeys(moments, long_ago))
    Use.objects.filter(instance=instance).update(user_at=long_ago, stream_at=long_ago)
