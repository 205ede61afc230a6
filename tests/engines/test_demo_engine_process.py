"""The engine as a process: how it starts, how it ends, and what is left on the disk."""

import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from PIL import Image
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from engines.demo_engine.library_v2 import IndexedLibrary
from tests.engines.loom_process import DEADLINE_SECONDS, ROOT, loom, run_to_end, spawn, wait_until

SLOW = {"prompt": "slow", "seed": 1, "steps": 60, "width": 1024, "height": 1024}


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_version_1_lays_pictures_out_by_day(tmp_path):
    with loom(1, tmp_path) as engine:
        engine.picture(seed=7, batch_size=2)
        engine.picture(seed=7)
        days = {image["created_at"][:10] for image in engine.gallery()}
        assert [image["id"].split("/")[1] for image in engine.gallery()] == ["00003-7.png", "00002-8.png", "00001-7.png"]
    pictures = files_in(tmp_path / "outputs")
    assert {name.split("/")[0] for name in pictures} == days
    assert [name.split("/")[1] for name in pictures] == ["00001-7.png", "00002-8.png", "00003-7.png"]
    assert (tmp_path / ".loom-version").read_text() == "1\n"


def test_version_2_lays_pictures_out_by_content_beside_an_index(tmp_path):
    with loom(2, tmp_path) as engine:
        engine.picture(batch_size=2)
        ids = [image["id"] for image in engine.gallery()]
    assert sorted(files_in(tmp_path / "library")) == sorted(["index.sqlite3", *(f"images/{i[:2]}/{i}.png" for i in ids)])
    assert (tmp_path / ".loom-version").read_text() == "2\n"


@pytest.mark.parametrize("version", [1, 2])
def test_pictures_are_there_after_a_restart(tmp_path, version):
    with loom(version, tmp_path) as engine:
        engine.picture(batch_size=3)
        before = engine.gallery()
    with loom(version, tmp_path) as engine:
        assert engine.gallery() == before
        assert len(before) == 3


@pytest.mark.parametrize(("used", "started", "advice"), [(1, 2, "engines.demo_engine.migrate"), (2, 1, "Start version 2")])
def test_a_directory_of_another_version_is_refused_and_left_alone(tmp_path, used, started, advice):
    with loom(used, tmp_path) as engine:
        engine.picture()
    before = files_in(tmp_path)
    code, output = run_to_end(started, tmp_path)
    assert code == 3
    assert advice in output
    assert files_in(tmp_path) == before


def test_an_unreadable_marker_is_refused(tmp_path):
    (tmp_path / ".loom-version").write_bytes(b"\xff9\n")
    code, output = run_to_end(1, tmp_path)
    assert code == 3
    assert "Restore it from a backup" in output


def test_a_directory_without_marker_is_known_by_its_layout(tmp_path):
    (tmp_path / "outputs").mkdir()
    assert run_to_end(2, tmp_path)[0] == 3


def test_one_directory_serves_one_engine(tmp_path):
    with loom(1, tmp_path):
        code, output = run_to_end(1, tmp_path)
    assert code == 4
    assert "Another Loom is using" in output


def test_a_taken_port_is_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, output = run_to_end(1, tmp_path / "data", port=taken.getsockname()[1])
    assert code == 5
    assert "Address already in use. Choose another port." in output
    assert not (tmp_path / "data").exists()


def test_a_data_directory_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    code, output = run_to_end(1, tmp_path / "file" / "data")
    assert code == 1
    assert "Cannot use" in output


@pytest.mark.parametrize("options", [("--exit-after", "0"), ("--exit-after", "0.05", "--never-listen")])
def test_exit_after_ends_with_the_asked_code(tmp_path, options):
    assert run_to_end(1, tmp_path, *options, "--exit-code", "42")[0] == 42


def test_never_listen_runs_but_refuses_connections_and_stops_when_asked(tmp_path):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    process = spawn(1, tmp_path, "--never-listen", port=port)
    try:
        wait_until(lambda: _caught_signals(process.pid) & (1 << signal.SIGTERM - 1), "the signal handler")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        process.terminate()
        process.communicate(timeout=DEADLINE_SECONDS)
        assert process.returncode == 0
    finally:
        process.kill()


def test_start_delay_comes_before_ready(tmp_path):
    started = time.monotonic()
    with loom(1, tmp_path, "--start-delay", "0.4") as engine:
        assert time.monotonic() - started >= 0.4
        assert engine.client.get("/healthz").status_code == 200


def test_only_a_kill_ends_an_engine_that_ignores_sigterm(tmp_path):
    with loom(1, tmp_path, "--ignore-sigterm") as engine:
        for _ in range(3):
            engine.process.terminate()
        engine.picture()
        assert engine.process.poll() is None
        engine.process.kill()
        assert engine.process.wait(DEADLINE_SECONDS) == -signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_busy_engine_with_open_streams_stops_with_0_and_keeps_what_it_saved(tmp_path, number):
    with (
        loom(1, tmp_path) as engine,
        ThreadPoolExecutor(1) as pool,
        httpx.stream("GET", f"{engine.url}/api/events?n=1000&interval=60000", timeout=DEADLINE_SECONDS) as stream,
    ):
        engine.picture(batch_size=2)
        blocked = pool.submit(httpx.post, f"{engine.url}/sdapi/v1/txt2img", json=SLOW, timeout=DEADLINE_SECONDS)
        with connect(engine.url.replace("http", "ws") + "/ws") as page:
            wait_until(lambda: engine.client.get("/sdapi/v1/progress").json()["state"]["sampling_step"], "a step")
            waiting = engine.client.post("/api/jobs", json=SLOW).json()
            assert waiting["state"] == "queued"
            engine.process.send_signal(number)
            assert engine.process.wait(DEADLINE_SECONDS) == 0
            with pytest.raises(ConnectionClosed):
                _read_to_the_end(page)
        assert blocked.result().status_code == 503
        assert stream.read().decode().count("event: tick") == 1
    for path in (tmp_path / "outputs").rglob("*.png"):
        with Image.open(path) as image:
            image.load()
    assert len(files_in(tmp_path / "outputs")) == 2
    assert files_in(tmp_path / ".tmp") == []


def test_a_killed_engine_leaves_only_whole_pictures_and_the_next_start_tidies_up(tmp_path):
    with loom(2, tmp_path) as engine:
        engine.client.post("/api/jobs", json={"prompt": "x", "steps": 1, "width": 64, "height": 64, "batch_size": 8, "n_iter": 8})
        wait_until(lambda: engine.client.get("/api/images").json()["total"] >= 5, "some pictures")
        engine.process.kill()
    (tmp_path / ".tmp" / "half-written").write_bytes(b"\x89PNG")
    with loom(2, tmp_path) as engine:
        shown = {image["id"] for image in engine.gallery(limit=200)}
        on_disk = {path.stem for path in (tmp_path / "library" / "images").rglob("*.png")}
        assert shown == on_disk
        assert len(shown) >= 5
        assert files_in(tmp_path / ".tmp") == []


def test_version_2_mends_its_index_from_the_files(tmp_path):
    with loom(2, tmp_path) as engine:
        engine.picture(prompt="kept and found", batch_size=3)
        before = engine.gallery()
    index = tmp_path / "library" / "index.sqlite3"
    lost = tmp_path / "library" / "images" / before[2]["id"][:2] / f"{before[2]['id']}.png"
    lost.unlink()
    with loom(2, tmp_path) as engine:
        assert engine.gallery() == before[:2]
    index.unlink()
    with loom(2, tmp_path) as engine:
        assert engine.gallery(search="found") == before[:2]


def test_the_index_knows_nothing_of_write_ahead_logs(tmp_path):
    library = IndexedLibrary(tmp_path)
    assert library.connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    library.close()


def test_the_log_is_plain_lines_on_standard_output(tmp_path):
    with loom(1, tmp_path) as engine:
        engine.picture(prompt="two\nlines")
        engine.process.terminate()
        lines = engine.process.stdout.read().splitlines()
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO .+", line) for line in lines)
    assert [line.split(" INFO ")[1].split()[0] for line in lines] == ["Job", "Job", "Stopping", "Stopped"]


def test_the_engine_imports_no_django_and_no_numpy_until_it_draws():
    probe = "import sys, engines.demo_engine.server as s, engines.demo_engine.migrate; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert "starlette.applications" in loaded
    assert {"django", "numpy", "PIL"} & set(loaded) == set()


def _caught_signals(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"SigCgt:\s*(\w+)", status)[1], 16)


def _read_to_the_end(page):
    while True:
        page.recv(timeout=DEADLINE_SECONDS)
