"""Counting what engines have made: what ComfyUI tells, each job once, and nothing of what cannot be true."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.utils import timezone

from engines.activity.probes import comfyui_history
from engines.activity.probes.comfyui_history import FEW, LIMIT, MANY, Job, ask_jobs, interpret
from engines.activity.probes.http import NoAnswer
from engines.models import Engine, Instance, PictureCount
from engines.release import counting
from tests import factories


def job(ended_ms: int | None, *types: str, event: str = "execution_success", workflow: str = "") -> dict[str, object]:
    """A job as ComfyUI tells of it; without a moment, one of an old version."""
    begun = ["execution_start", {"prompt_id": "x", "timestamp": 1}]
    ended = [event, {"prompt_id": "x"} | ({} if ended_ms is None else {"timestamp": ended_ms})]
    images = [{"filename": f"{number}.png", "subfolder": "", "type": kind} for number, kind in enumerate(types)]
    return {
        "prompt": [1, "x", workflow],
        "outputs": {"9": {"images": images}, "10": {"text": ["a caption"]}},
        "status": {"status_str": "success", "completed": True, "messages": [begun, ended]},
    }


class ComfyUI:
    """An engine's history, behind its address."""

    def __init__(self) -> None:
        self.jobs: list[dict[str, object]] = []
        self.asked: list[int] = []
        double = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                count = int(parse_qs(urlsplit(self.path).query)["max_items"][0])
                double.asked.append(count)
                body = json.dumps({str(number): each for number, each in enumerate(double.jobs)}).encode()
                shown = dict(list(json.loads(body).items())[-count:])
                body = json.dumps(shown).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def ask(self, after_ms: int = 0) -> list[Job]:
        return ask_jobs(self.address, after_ms=after_ms, deadline=time.monotonic() + 5)


@pytest.fixture
def comfyui() -> Iterator[ComfyUI]:
    double = ComfyUI()
    yield double
    double.server.shutdown()
    double.server.server_close()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"a": job(5, "output", "output", "temp")}, [Job(5, 2)]),
        ({"a": job(5), "b": job(7, "output")}, [Job(5, 0), Job(7, 1)]),
        ({"a": job(5, "output", event="execution_error")}, [Job(5, 1)]),
        ({"a": job(5, "output", event="execution_cached")}, []),  # goes on
        ({"a": job(None, "output")}, []),
        ({"a": {"outputs": None, "status": {"messages": [["execution_success", {"timestamp": 5}]]}}}, [Job(5, 0)]),
        (
            {"a": {"outputs": {"9": {"images": 7}}, "status": {"messages": [["execution_success", {"timestamp": 5}]]}}},
            [Job(5, 0)],
        ),
        ({"a": {"status": {"messages": [3, [], ["x"], ["execution_success", None], [None, {}]]}}}, []),
        ({"a": {"status": None}, "b": 7, "c": None}, []),
        ([], []),
        (None, []),
    ],
)
def test_what_a_history_says(content: object, expected: list[Job]) -> None:
    assert interpret(content) == expected


def test_few_are_asked_for_and_many_only_if_all_are_new(comfyui: ComfyUI) -> None:
    comfyui.jobs = [job(number, "output") for number in range(1, 101)]
    assert comfyui.ask(after_ms=93) == [Job(number, 1) for number in range(94, 101)]
    assert comfyui.asked == [FEW]
    assert len(comfyui.ask(after_ms=92)) == 8
    assert len(comfyui.ask(after_ms=0)) == MANY
    assert comfyui.asked == [FEW, FEW, MANY, FEW, MANY]


def test_a_history_that_is_too_long_to_read_tells_of_few(comfyui: ComfyUI) -> None:
    comfyui.jobs = [job(number, "output", workflow="x" * (LIMIT // 20)) for number in range(1, 41)]
    assert len(comfyui.ask()) == FEW
    comfyui.jobs = [job(1, workflow="x" * LIMIT)]
    with pytest.raises(NoAnswer):
        comfyui.ask()


@pytest.fixture
def instance(acme, alice, cluster, comfyui: ComfyUI) -> Instance:
    fields = {"state": "running", "run_id": "run", "upstream": comfyui.address, "ready_at": timezone.now() - timedelta(hours=1)}
    made = factories.make_instance(acme, alice, cluster, **fields)
    Engine.objects.update(family="comfyui")
    return made


def ms(**ago: float) -> int:
    return int((timezone.now() - timedelta(**ago)).timestamp() * 1000)


def counted() -> list[tuple[int, int]]:
    return list(PictureCount.objects.order_by("hour_at").values_list("jobs", "pictures"))


def test_each_job_is_counted_once(instance: Instance, comfyui: ComfyUI) -> None:
    comfyui.jobs = [job(ms(days=1), "output"), job(ms(minutes=9), "output", "output")]  # the first is of a run before
    counting.count_all()
    counting.count_all()
    assert counted() == [(1, 2)]
    comfyui.jobs = [job(ms(minutes=1), "output")]  # somebody has cleared the history
    counting.count_all()
    comfyui.jobs = []
    counting.count_all()
    assert [sum(column) for column in zip(*counted(), strict=True)] == [2, 3]


def test_a_clock_that_runs_ahead_is_not_believed(instance: Instance, comfyui: ComfyUI) -> None:
    comfyui.jobs = [job(ms(minutes=-6), "output")]
    counting.count_all()
    assert counted() == []
    comfyui.jobs.append(job(ms(minutes=-4), "output"))
    counting.count_all()
    assert counted() == [(1, 1)]


def test_others_are_not_asked(instance: Instance, comfyui: ComfyUI) -> None:
    Engine.objects.update(family="gradio")
    counting.count_all()
    Engine.objects.update(family="comfyui")
    Instance.objects.update(state="stopped")
    counting.count_all()
    assert (comfyui.asked, counted()) == ([], [])


def test_an_engine_that_does_not_answer_costs_the_others_nothing(instance: Instance, comfyui: ComfyUI, acme, alice) -> None:
    fields = {"state": "running", "run_id": "dead", "upstream": "127.0.0.1:9", "ready_at": instance.ready_at}
    factories.make_instance(acme, alice, instance.cluster, engine_version=instance.engine_version, **fields)
    comfyui.jobs = [job(ms(minutes=9), "output")]
    counting.count_all()
    assert list(PictureCount.objects.values_list("run_id", "pictures")) == [("run", 1)]


@pytest.mark.django_db(transaction=True)
def test_two_who_count_at_once_count_once(instance: Instance) -> None:
    jobs = [Job(ms(minutes=number), 1) for number in range(1, 6)]

    def count() -> None:
        counting.record(Instance.objects.get(), jobs, now=timezone.now())
        connection.close()

    both = [threading.Thread(target=count) for _ in range(4)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert [sum(column) for column in zip(*counted(), strict=True)] == [5, 5]


def test_old_counts_are_forgotten(instance: Instance) -> None:
    for days in (1, 64, 66):
        at = timezone.now() - timedelta(days=days)
        PictureCount.objects.create(instance=instance, run_id="run", hour_at=at, pictures=days)
    counting.forget_old()
    assert sorted(pictures for _jobs, pictures in counted()) == [1, 64]
    assert comfyui_history.LIMIT == 8 * 1024 * 1024
