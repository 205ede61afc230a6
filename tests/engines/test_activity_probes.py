"""What engines answer when they are asked whether they work: recorded ones, ours, and hostile ones."""

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.activity.families import FAMILIES, probe_of
from engines.activity.probes import NOT_ASKED, Answer, Busy, ask, comfyui, command, gradio, http_json, sdwebui
from engines.activity.probes.answer import EVIDENCE_LENGTH, busy, free, unknown
from engines.activity.probes.http import BODY_LIMIT
from engines.activity.schema import Condition, Probe
from tests.engines.loom_process import loom
from tests.stack import free_port
from tests.waiting import wait_until

RECORDED = json.loads((Path(__file__).parent / "recordings" / "queues.json").read_text())
PROMPT, PROGRESS, PENDING = "/prompt", "/sdapi/v1/progress?skip_current_image=true", "/internal/pending-tasks"
BEGUN = {"state": {"job": "", "job_count": -1}}
RUNNING = {"state": {"job": "scripts_txt2img", "job_count": 2}}
IDLE = {"state": {"job": "", "job_count": 0}}
COMFYUI, SDWEBUI, GRADIO = Probe(kind="comfyui"), Probe(kind="sdwebui"), Probe(kind="gradio")

Script = Callable[[str, Callable[[bytes], None]], None]


@contextmanager
def engine(script: Script) -> Iterator[str]:
    """An engine that does what the script does for a path; gives its address."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def serve() -> None:
            while True:
                try:
                    connection = listening.accept()[0]
                except OSError:
                    return
                with closing(connection):
                    asked = connection.recv(65_536).decode("latin-1")
                    try:
                        script(asked.split(" ")[1], connection.sendall)
                    except OSError:
                        continue  # who asked has hung up

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def answering(answers: Mapping[str, object]) -> Script:
    """Answer these paths with JSON, or with a status alone where that is a number; all others with 404."""

    def script(path: str, send: Callable[[bytes], None]) -> None:
        said = answers.get(path, 404)
        status, body = (said, b"{}") if isinstance(said, int) else (200, json.dumps(said).encode())
        send(f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    return script


def asked(probe: Probe, answers: Mapping[str, object]) -> Answer:
    with engine(answering(answers)) as address:
        return ask(probe, address)


def recorded(engine_name: str, case: str) -> dict[str, object]:
    rows = [row for row in RECORDED[engine_name]["answers"] if row["case"] == case]
    return {row["path"]: row["body"] if row["status"] == 200 else row["status"] for row in rows}


@pytest.mark.parametrize(
    ("probe", "answers", "expected"),
    [
        (COMFYUI, recorded("comfyui", "idle: prompt"), free("comfyui queue", "queue_remaining 0")),
        (COMFYUI, recorded("comfyui", "one running, two pending: prompt"), busy("comfyui queue", "queue_remaining 3")),
        (COMFYUI, {PROMPT: 401}, unknown("comfyui queue", "HTTP 401, it asks for a password")),
        (COMFYUI, {PROMPT: 500}, unknown("comfyui queue", "HTTP 500")),
        (COMFYUI, {PROMPT: {}}, unknown("comfyui queue", "no exec_info.queue_remaining in the answer")),
        (GRADIO, recorded("gradio", "idle"), free("gradio queue", "queue_size 0", counts_running=False)),
        # A job runs: this engine cannot say so.
        (GRADIO, recorded("gradio", "one running, none waiting"), free("gradio queue", "queue_size 0", counts_running=False)),
        (GRADIO, recorded("gradio", "one running, one waiting"), busy("gradio queue", "queue_size 1")),
        (GRADIO, {"/queue/status": {"queue_size": 2}}, busy("gradio queue", "queue_size 2")),  # 3.x and 4.x
        (GRADIO, {}, unknown("gradio queue", "HTTP 404, it has no such page")),
        (GRADIO, {"/gradio_api/queue/status": 401}, unknown("gradio queue", "HTTP 401, it asks for a password")),
        (SDWEBUI, {PROGRESS: IDLE, PENDING: {"size": 0, "tasks": []}}, free("sdwebui progress", "job_count 0, job ''")),
        (SDWEBUI, {PROGRESS: IDLE}, free("sdwebui progress", "job_count 0, job ''")),  # older than 1.6
        (SDWEBUI, {PROGRESS: BEGUN}, busy("sdwebui progress", "job_count -1, job ''")),
        (SDWEBUI, {PROGRESS: RUNNING}, busy("sdwebui progress", "job_count 2, job 'scripts_txt2img'")),
        (SDWEBUI, {PROGRESS: {"state": {"job": "load", "job_count": 0}}}, busy("sdwebui progress", "job_count 0, job 'load'")),
        (SDWEBUI, {PROGRESS: IDLE, PENDING: {"size": 1, "tasks": ["t"]}}, busy("sdwebui pending tasks", "1 waiting")),
        # Started without --api: what waits can be told, what runs cannot.
        (SDWEBUI, {PENDING: {"size": 1, "tasks": ["t"]}}, busy("sdwebui pending tasks", "1 waiting")),
        (SDWEBUI, {PENDING: {"size": 0, "tasks": []}}, unknown("sdwebui progress", "HTTP 404, it has no such page")),
        (SDWEBUI, {PROGRESS: 401, PENDING: {"size": 0}}, unknown("sdwebui progress", "HTTP 401, it asks for a password")),
        (Probe(kind="none"), {}, NOT_ASKED),
    ],
)
def test_what_each_family_answers(probe, answers, expected):
    assert asked(probe, answers) == expected


INVOKE = Probe(
    kind="http_json",
    path="/api/v1/queue/default/status",
    busy_if=({"value": "/queue/pending", "above": 0}, {"value": "/queue/in_progress", "above": 0}),
)


@pytest.mark.parametrize(
    ("queue", "expected"),
    [
        ({"pending": 0, "in_progress": 0}, free(INVOKE.path, "/queue/pending is 0, /queue/in_progress is 0")),
        ({"pending": 0, "in_progress": 1}, busy(INVOKE.path, "/queue/in_progress is 1")),
        ({"pending": 2}, busy(INVOKE.path, "/queue/pending is 2")),
        ({"pending": 0}, unknown(INVOKE.path, "nothing to compare at /queue/in_progress")),
        ({"pending": "0", "in_progress": True}, unknown(INVOKE.path, "nothing to compare at /queue/pending, /queue/in_progress")),
    ],
)
def test_an_engine_that_a_catalog_describes(queue, expected):
    assert asked(INVOKE, {INVOKE.path: {"queue": queue, "processor": {"is_started": True}}}) == expected


CONTENT = {"a/b": {"~": [0, {"x": None}]}, "list": [1, 2], "on": True, "text": "idle", "one": 1, "deep": {}}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"value": "/a~1b/~0/1/x", "equals": None}, Busy.BUSY),
        ({"value": "/a~1b/~0/0", "equals": False}, Busy.FREE),
        ({"value": "/a~1b/~0/2", "equals": 0}, Busy.UNKNOWN),
        ({"value": "/a~1b/~0/-1", "equals": 0}, Busy.UNKNOWN),
        ({"value": "/list", "longer_than": 1}, Busy.BUSY),
        ({"value": "/list", "longer_than": 2}, Busy.FREE),
        ({"value": "/deep", "longer_than": 0}, Busy.FREE),
        ({"value": "/text", "longer_than": 0}, Busy.UNKNOWN),
        ({"value": "", "longer_than": 0}, Busy.BUSY),
        ({"value": "/on", "equals": True}, Busy.BUSY),
        ({"value": "/one", "equals": True}, Busy.FREE),
        ({"value": "/one", "equals": 1.0}, Busy.BUSY),
        ({"value": "/one", "above": 0.5}, Busy.BUSY),
        ({"value": "/on", "above": 0}, Busy.UNKNOWN),
        ({"value": "/text", "differs_from": "idle"}, Busy.FREE),
        ({"value": "/text", "differs_from": "busy"}, Busy.BUSY),
        ({"value": "/list", "differs_from": "idle"}, Busy.UNKNOWN),
        ({"value": "/none", "differs_from": "idle"}, Busy.UNKNOWN),
    ],
)
def test_conditions(condition, expected):
    assert http_json.interpret(CONTENT, "/x", [Condition(**condition)]).busy is expected


KEYS = ["exec_info", "queue_remaining", "state", "job", "job_count", "queue_size", "x"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=12,
)


@given(ANYTHING)
def test_whatever_an_engine_says_it_is_read_and_only_numbers_tell_of_rest(content):
    conditions = [Condition(value="/x/0", above=0), Condition(value="/state", equals="x")]
    for answer in (
        comfyui.interpret(content),
        sdwebui.interpret(content),
        gradio.interpret(content),
        http_json.interpret(content, "/x", conditions),
    ):
        assert len(answer.evidence) <= EVIDENCE_LENGTH
        assert answer.evidence.isprintable()
        assert isinstance(content, dict) or answer.busy is Busy.UNKNOWN


def raw(data: bytes) -> Script:
    return lambda _path, send: send(data)


def json_page(body: bytes) -> Script:
    return raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


@pytest.mark.parametrize(
    ("script", "evidence"),
    [
        (raw(b""), "Remote end closed connection without response"),
        (raw(b"\x00\x01\xffSSH-2.0\r\n\r\n"), "  \xffSSH-2.0  "),
        (raw(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n"), "got more than 100 headers"),
        (raw(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"), "HTTP 302"),
        (json_page(b'{"exec_info": '), "neither JSON nor an address: JSONDecodeError"),
        (json_page(b"<html>loading</html>"), "neither JSON nor an address: JSONDecodeError"),
        (json_page(b"[" * 100_000), "neither JSON nor an address: RecursionError"),
        (json_page(b'{"exec_info": {"queue_remaining": ' + b"9" * 5000 + b"}}"), "neither JSON nor an address: ValueError"),
        (json_page(b'{"exec_info": {"queue_remaining": NaN}}'), "no exec_info.queue_remaining in the answer"),
        (json_page(b'{"exec_info": {"queue_remaining": true}}'), "no exec_info.queue_remaining in the answer"),
        (json_page(b'{"exec_info": {"queue_remaining": -1}}'), "no exec_info.queue_remaining in the answer"),
        (json_page(b" " * (BODY_LIMIT + 1)), f"the answer is longer than {BODY_LIMIT} bytes"),
        (json_page(b"\xff{"), "neither JSON nor an address: UnicodeDecodeError"),
    ],
)  # fmt: skip
def test_a_broken_or_hostile_engine_is_unknown(script, evidence):
    with engine(script) as address:
        answer = ask(COMFYUI, address)
    assert (answer.busy, answer.evidence) == (Busy.UNKNOWN, evidence)


def dripping(head: bytes) -> Script:
    """A byte at a time, for ever: each read succeeds."""

    def script(_path: str, send: Callable[[bytes], None]) -> None:
        send(head)
        while True:
            send(b"a")
            time.sleep(0.01)

    return script


def flooding(_path: str, send: Callable[[bytes], None]) -> None:
    send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        send(b"10000\r\n" + b" " * 65_536 + b"\r\n")


@pytest.mark.parametrize(
    "script",
    [
        dripping(b""),
        dripping(b"HTTP/1.1 200 OK\r\nX: "),
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
        flooding,
    ],
    ids=["status line", "header", "body", "flood"],
)
def test_no_engine_holds_who_asks_for_longer_than_the_timeout(script):
    with engine(script) as address:
        began = time.monotonic()
        answer = ask(COMFYUI, address, timeout=0.5)
        took = time.monotonic() - began
    assert answer.busy is Busy.UNKNOWN
    assert answer.evidence in {"timed out", f"the answer is longer than {BODY_LIMIT} bytes"}
    assert took < 2


def test_an_engine_that_says_nothing_is_unknown_in_time():
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        began = time.monotonic()
        answer = ask(SDWEBUI, f"127.0.0.1:{listening.getsockname()[1]}", timeout=0.3)
        assert time.monotonic() - began < 2
    assert (answer.busy, answer.signal, answer.evidence) == (Busy.UNKNOWN, "sdwebui", "timed out")


@pytest.mark.parametrize("probe", [usual.probe for usual in FAMILIES.values()])
@pytest.mark.parametrize("address", ["", "nonsense", "127.0.0.1:port", "no-such-host.invalid:80", ":80:", "[::1]:x"])
def test_whatever_the_address_nothing_is_raised(probe, address):
    assert ask(probe, address, timeout=1).busy is Busy.UNKNOWN


def test_nobody_listens():
    assert ask(COMFYUI, f"127.0.0.1:{free_port()}") == unknown("comfyui", "[Errno 111] Connection refused")


def program(tmp_path: Path, body: str) -> Probe:
    path = tmp_path / "ask"
    path.write_text(f"#!{sys.executable} -I\nimport os, sys, time\n{body}\n")
    path.chmod(0o755)
    return Probe(kind="command", command=(str(path), "an argument; $(not a shell)"))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "print(os.environ['AIGC_ENGINE_ADDRESS'], sys.argv[1]); sys.exit(0)",
            free("command", "h:1 an argument; $(not a shell)"),
        ),
        ("print('training\\n epoch 3'); sys.exit(1)", busy("command", "training epoch 3")),
        ("sys.exit(1)", busy("command", "exit status 1")),
        ("print('no such engine', file=sys.stderr); sys.exit(2)", unknown("command", "exit status 2: no such engine")),
        ("os.kill(os.getpid(), 9)", unknown("command", "exit status -9: exit status -9")),
        ("print('\\0' + 'x' * 10**6)", free("command", (" " + "x" * (EVIDENCE_LENGTH - 1)))),
        ("sys.exit('DATABASE_URL' in os.environ)", free("command", "exit status 0")),
    ],
)
def test_a_program_of_the_operators(tmp_path, body, expected):
    assert ask(program(tmp_path, body), "h:1") == expected


def test_a_program_that_is_not_there_is_unknown(tmp_path):
    answer = ask(Probe(kind="command", command=(str(tmp_path / "none"),)), "h:1")
    assert answer == unknown("command", f"{tmp_path / 'none'}: No such file or directory")


def test_a_program_that_does_not_end_is_killed_with_all_that_it_started(tmp_path, monkeypatch):
    pids = tmp_path / "pids"
    probe = program(
        tmp_path, f"child = os.fork()\nopen({str(pids)!r}, 'a').write(f'{{os.getpid()}} ')\nwhile True: time.sleep(9)"
    )
    with pytest.raises(command.NoAnswer, match="did not end within 2 seconds"):
        command.ask(probe.command, "h:1", limit=2)
    started = [int(pid) for pid in pids.read_text().split()]
    assert len(started) == 2
    wait_until(lambda: not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in started))


def test_our_own_engine_says_whether_it_works(tmp_path):
    probe = probe_of("sd-webui", {})
    with loom(2, tmp_path / "data") as engine_:
        address = engine_.url.removeprefix("http://")
        assert ask(probe, address) == free("sdwebui progress", "job_count 0, job ''")
        long = {"prompt": "silk", "steps": 50, "width": 512, "height": 512, "batch_size": 8, "n_iter": 8}
        for _ in range(2):
            assert engine_.client.post("/api/jobs", json=long).is_success
        wait_until(lambda: ask(probe, address).signal == "sdwebui pending tasks")
        assert ask(probe, address) == busy("sdwebui pending tasks", "1 waiting")
        engine_.client.post("/sdapi/v1/interrupt")
        wait_until(lambda: ask(probe, address).signal == "sdwebui progress")
        assert ask(probe, address).busy is Busy.BUSY
        engine_.client.post("/sdapi/v1/interrupt")
        wait_until(lambda: ask(probe, address).busy is Busy.FREE)


@pytest.mark.parametrize(
    ("given_", "problem"),
    [
        ({"kind": "http_json", "path": "/x"}, "“path” and “busy_if” belong to the kind http_json, which needs both"),
        ({"kind": "comfyui", "path": "/x"}, "“path” and “busy_if” belong to the kind http_json, which needs both"),
        ({"kind": "command"}, "“command” belongs to the kind command, which needs it"),
        ({"kind": "none", "command": ["/bin/true"]}, "“command” belongs to the kind command, which needs it"),
        ({"kind": "command", "command": ["true"]}, "“command” must begin with the absolute path of a program beside the portal"),
    ],
)
def test_a_probe_is_whole(given_, problem):
    with pytest.raises(ValueError, match=problem):
        Probe(**given_)
