"""Version 1's data to version 2's: nothing lost, nothing doubled, wherever the hook is killed."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from engines.demo_engine import layout, png
from engines.demo_engine.library_v1 import DayFolders, picture_paths
from engines.demo_engine.library_v2 import IndexedLibrary
from engines.demo_engine.migrate import BROUGHT_OVER, bring_over
from engines.demo_engine.parameters import Parameters
from tests.engines.loom_process import DEADLINE_SECONDS, ROOT, loom

MADE_AT = datetime(2026, 11, 21, 23, 59, tzinfo=UTC)

KILL_AT_LINES = """
# Forks a process per kill: far faster than starting one, and as truly killed.
import hashlib, json, os, shutil, signal, sys
from pathlib import Path
from engines.demo_engine import layout, migrate
from engines.demo_engine.library_v1 import picture_paths

template, out, deleted, lines = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4:]

def run(data_dir, stop_at):
    seen = 0
    def trace(frame, event, arg):
        nonlocal seen
        if "demo_engine" not in frame.f_code.co_filename:
            return None
        if event == "line":
            seen += 1
            if seen == stop_at:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace
    sys.settrace(trace)
    migrate.migrate(data_dir, lambda progress: None)
    sys.settrace(None)
    return seen

def in_a_process_of_its_own(work):
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

if not lines:
    print(run(shutil.copytree(template, out / "probe"), -1))
for stop_at in map(int, lines):
    data_dir = shutil.copytree(template, out / str(stop_at))
    killed = in_a_process_of_its_own(lambda: run(data_dir, stop_at))
    version = layout.read_version(data_dir)
    kept = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in picture_paths(data_dir / "outputs"))
    if deleted and version == 1:
        (data_dir / "outputs" / deleted).unlink()
    with open(os.devnull, "w") as sys.stdout:
        finished = in_a_process_of_its_own(lambda: os._exit(migrate.main(["--data-dir", str(data_dir)])))
    sys.stdout = sys.__stdout__
    print(json.dumps({"killed": killed, "version": version, "kept": kept, "finished": finished, "data_dir": str(data_dir)}))
"""


@pytest.fixture
def tmp_path(tmp_path):
    """In memory where there is such a place: what a kill leaves behind is the same, and fsync costs nothing."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def make_pictures(data_dir, count):
    """Version 1 pictures a minute apart over midnight; returns the SHA-256 of each, oldest first."""
    layout.mark_version(data_dir, 1)
    folders = DayFolders(data_dir)
    return [add_picture(folders, number) for number in range(count)]


def add_picture(folders, number):
    made_at = MADE_AT + timedelta(minutes=number)
    parameters = Parameters(prompt=f"picture {number}", seed=number, width=64, height=64)
    facts = {"created_at": made_at.isoformat(), "parameters": parameters.of_picture(0)}
    content = png.encode_png(np.full((64, 64, 3), number, dtype=np.uint8), parameters.infotext(), facts)
    folders.save(content, number, made_at)
    return hashlib.sha256(content).hexdigest()


def run_hook(data_dir):
    command = [sys.executable, "-m", "engines.demo_engine.migrate", "--data-dir", str(data_dir)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def kill_at(template, out, *lines, deleted=""):
    """Run the hook on copies of `template`, kill -9 each at its line, delete a picture, finish; or count the lines."""
    command = [sys.executable, "-c", KILL_AT_LINES, str(template), str(out), deleted, *map(str, lines)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def assert_migrated(data_dir, digests, first=0):
    assert layout.read_version(data_dir) == 2
    assert not (data_dir / "outputs").exists()
    on_disk = {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in (data_dir / "library").rglob("*.png")}
    assert on_disk == {digest: digest for digest in digests}
    library = IndexedLibrary(data_dir)
    rows = library.connection.execute("SELECT sha256, prompt FROM pictures ORDER BY created_at").fetchall()
    tables = {name for (name,) in library.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    library.close()
    assert rows == [(digest, f"picture {number}") for number, digest in enumerate(digests, start=first)]
    assert tables == {"pictures", "tags"}


def test_every_picture_comes_over_with_its_date_and_parameters(tmp_path):
    with loom(1, tmp_path) as engine:
        engine.picture(prompt="brought over", batch_size=3)
        before = engine.gallery()
        contents = [engine.client.get(image["url"]).content for image in before]
    code, lines = run_hook(tmp_path)
    assert code == 0
    assert Counter(line["step"] for line in lines) == {
        "found": 1,
        "picture": 3,
        "checked": 1,
        "marked": 1,
        "removed": 3,
        "done": 1,
    }
    assert [line["number"] for line in lines if line["step"] == "picture"] == [1, 2, 3]
    with loom(2, tmp_path) as engine:
        after = engine.gallery(search="brought")
        assert [(image["created_at"], image["parameters"]) for image in after] == [
            (image["created_at"], image["parameters"]) for image in before
        ]
        assert [engine.client.get(image["url"]).content for image in after] == contents


def test_a_second_run_does_nothing(tmp_path):
    digests = make_pictures(tmp_path, 3)
    assert run_hook(tmp_path)[0] == 0
    assert run_hook(tmp_path) == (0, [{"step": "done", "pictures": 0, "already": True}])
    assert_migrated(tmp_path, digests)


def test_an_empty_directory_becomes_version_2(tmp_path):
    assert run_hook(tmp_path) == (0, [{"step": "done", "pictures": 0, "already": False}])
    assert layout.read_version(tmp_path) == 2


def test_killed_at_any_line_it_has_lost_nothing_and_the_next_run_completes_it(tmp_path):
    """Sixty kills spread over the whole run."""
    template = tmp_path / "template"
    template.mkdir()
    digests = make_pictures(template, 3)
    (total,) = kill_at(template, tmp_path)
    lines = sorted({1 + number * (total - 1) // 59 for number in range(60)})
    outcomes = kill_at(template, tmp_path, *lines)
    assert len(outcomes) == 60
    for outcome in outcomes:
        assert (outcome["killed"], outcome["finished"]) == (-signal.SIGKILL, 0)
        assert outcome["version"] == 2 or outcome["kept"] == sorted(digests)
        assert_migrated(Path(outcome["data_dir"]), digests)
    assert {outcome["version"] for outcome in outcomes} == {1, 2}


def test_a_picture_deleted_between_two_runs_does_not_come_back(tmp_path):
    template = tmp_path / "template"
    template.mkdir()
    digests = make_pictures(template, 3)
    (total,) = kill_at(template, tmp_path)
    outcomes = kill_at(template, tmp_path, *range(2, total, total // 40), deleted="2026-11-21/00001-0.png")
    stopped_early = [outcome for outcome in outcomes if outcome["version"] == 1]
    assert len(stopped_early) > 20
    for outcome in stopped_early:
        assert_migrated(Path(outcome["data_dir"]), digests[1:], first=1)


@pytest.mark.parametrize("lines_read", [1, 30, 120])
def test_the_real_hook_killed_while_it_reports(tmp_path, lines_read):
    digests = make_pictures(tmp_path, 60)
    command = [sys.executable, "-m", "engines.demo_engine.migrate", "--data-dir", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as hook:
        for _ in range(lines_read):
            hook.stdout.readline()
        hook.kill()
    assert run_hook(tmp_path)[0] == 0
    assert_migrated(tmp_path, digests)


def test_version_1_may_go_on_between_two_runs(tmp_path):
    """What was deleted stays deleted, what was added comes over."""
    digests = make_pictures(tmp_path, 3)
    library = IndexedLibrary(tmp_path)
    library.connection.execute(BROUGHT_OVER)
    bring_over(tmp_path, library, lambda _: None)
    library.close()
    folders = DayFolders(tmp_path)
    folders.delete("2026-11-21/00001-0.png")
    added = add_picture(folders, 3)
    assert run_hook(tmp_path)[0] == 0
    assert_migrated(tmp_path, [*digests[1:], added], first=1)


def test_two_equal_files_become_one_picture(tmp_path):
    digests = make_pictures(tmp_path, 1)
    day = tmp_path / "outputs" / "2026-11-21"
    (day / "00002-0.png").write_bytes((day / "00001-0.png").read_bytes())
    assert run_hook(tmp_path)[0] == 0
    assert_migrated(tmp_path, digests)


def test_files_that_are_not_looms_stay_where_they_are(tmp_path):
    make_pictures(tmp_path, 1)
    (tmp_path / "outputs" / "2026-11-21" / "notes.txt").write_text("mine")
    (tmp_path / "uploads").mkdir()
    (tmp_path / "uploads" / "model").write_text("mine too")
    assert run_hook(tmp_path)[0] == 0
    assert (tmp_path / "outputs" / "2026-11-21" / "notes.txt").read_text() == "mine"
    assert (tmp_path / "uploads" / "model").read_text() == "mine too"
    assert run_hook(tmp_path)[0] == 0


def test_a_damaged_copy_stops_it_before_anything_is_removed(tmp_path):
    digests = make_pictures(tmp_path, 2)
    damaged = tmp_path / "library" / "images" / digests[0][:2] / f"{digests[0]}.png"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"not it")
    code, lines = run_hook(tmp_path)
    assert code == 1
    assert "is damaged" in lines[-1]["error"]
    assert layout.read_version(tmp_path) == 1
    assert len(picture_paths(tmp_path / "outputs")) == 2


def test_it_refuses_while_an_engine_is_running(tmp_path):
    with loom(1, tmp_path) as engine:
        engine.picture()
        code, lines = run_hook(tmp_path)
        assert (code, lines[-1]["step"]) == (4, "failed")
        assert len(engine.gallery()) == 1
    assert len(picture_paths(tmp_path / "outputs")) == 1
