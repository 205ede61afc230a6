"""A real Gradio application behind the real gateway: while a job runs its queue reads 0. An open stream or load tells of it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone

from engines.activity.recorded import read
from engines.models import Instance
from engines.operations import idle as operations
from engines.release import marking
from tests.driving import drive
from tests.gateway.tab import told
from tests.gradio_app import driving
from tests.idle.conftest import age, look_at
from tests.waiting import wait_until


@pytest.fixture
def app(launch: Callable[..., Instance], tmp_path: Path) -> Instance:
    """The application, which nobody has used for two hours."""
    instance = launch(family="gradio", command=driving.command("{port}", tmp_path / "until"), health_path="/config")
    age(instance, hours=2)
    return instance


def test_a_job_is_never_ended_though_the_queue_reads_0(gateway, app, open_tab, ask, tmp_path):
    tab, address, begun_at = open_tab(app), f"127.0.0.1:{gateway.port}", timezone.now()
    driving.click(address, tab.headers)
    with driving.listening(address, tab.headers) as events:
        driving.wait_for(events, "process_starts")
        told(app, begun_at, "user_at", "work_at")
        age(app, hours=1)  # three times as long as an idle engine may stay
        told(app, begun_at, "work_at")  # because the stream is still open
        assert driving.queue_size(app.upstream) == 0
        for wanted in (True, False):  # whether somebody has asked to release it as soon as it is free or not
            ask(operations.release_when_free, app, wanted=wanted)
            use = look_at(app)
            assert (use.why, use.releasing_since, use.free_looks) == ("stream", None, 0)
    streams_are_counted_again(app)  # the tab is closed: from here on the processor alone tells of the job
    age(app, hours=1)
    assert driving.queue_size(app.upstream) == 0
    use = look_at(app, times=2)
    assert (use.why, use.releasing_since, use.free_looks) == ("load", None, 0)
    assert "CPU" in use.evidence
    (tmp_path / "until").touch()
    wait_until(lambda: look_at(app).why != "load")
    assert look_at(app, times=2).why == "idle"
    age(app, seconds=21)
    assert marking.finish(app.pk)
    drive(app, "stopped")


def streams_are_counted_again(app: Instance) -> None:
    """Wait until gwauth has asked the gateway once more: what it found open before is told by then."""
    now = timezone.now()
    wait_until(lambda: read([app.slug])[app.slug].streams_at > now, seconds=30)
