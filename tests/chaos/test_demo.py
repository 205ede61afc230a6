"""The whole demo killed at once, and what it says when it cannot start."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.world import World
from tests.stack import ROOT


def test_a_killed_demo_starts_again_and_finds_its_engines(world):
    slug = world.launch("Survivor", "steady")
    world.wait(slug, "running")
    world.draw(slug, seed=3)
    pictures = world.pictures(slug)
    engine = world.engines(slug)[0]
    runs = world.runs(slug)

    os.kill(world.stack.process.pid, signal.SIGKILL)
    world.stack.process.wait()
    world.stack.start()
    world.wait_until_served()

    row = world.wait(slug, "running")
    assert world.engines(slug) == [engine]
    assert world.runs(slug) == runs == [row["run_id"]]
    assert world.pictures(slug) == pictures
    world.act(slug, "pause")
    world.wait(slug, "stopped")
    assert not world.marked(slug)
    assert world.pictures(slug) == pictures


@pytest.mark.chaos_full
def test_a_demo_that_ends_while_an_engine_runs_pauses_it_and_says_so_later(world):
    slug = world.launch("Left behind", "steady")
    world.wait(slug, "running")
    world.draw(slug, seed=4)
    pictures = world.pictures(slug)
    world.stack.stop()
    assert not world.marked(slug)
    world.stack.start()
    world.wait_until_served()
    row = world.instance(slug)
    assert (row["state"], row["wish_reason"]) == ("stopped", "portal_stopped")
    assert "Paused because the portal was stopped. The data is kept, and it can be resumed at once." in world.page(slug)
    world.act(slug, "resume")
    world.wait(slug, "running")
    assert world.pictures(slug) == pictures
    world.act(slug, "pause")
    world.wait(slug, "stopped")


@pytest.mark.parametrize("service", ["postgres", "valkey"])
def test_a_service_that_is_killed_while_it_starts_is_started_again(world, service):
    first = world.main_process(service)
    world.kill(service)
    second = world.main_process(service)
    world.kill_process(second)
    world.wait_until_served()
    assert world.main_process(service) not in {first, second}
    assert world.stack.process.poll() is None


def test_ctrl_c_ends_the_engines_even_while_the_database_is_down(world):
    slug = world.launch("Ends with the demo", "steady")
    world.wait(slug, "running")
    world.kill_process(world.main_process("postgres"))
    world.stack.stop()
    assert world.stack.process.returncode == 0
    assert not world.marked(slug)
    world.stack.start()
    world.wait_until_served()
    assert world.instance(slug)["state"] == "stopped"
    world.delete(slug)
    world.wait(slug, "deleted")


@pytest.mark.chaos_full
def test_a_second_demo_on_a_taken_port_says_who_has_it(world: World, tmp_path: Path):
    variables = world.stack.environment | {"AIGC_DATA_DIR": str(tmp_path / "other")}
    second = subprocess.run(
        [sys.executable, "manage.py", "demo"], cwd=ROOT, env=variables, capture_output=True, text=True, timeout=120, check=False
    )
    assert second.returncode == 1
    assert f"Port {world.stack.port} is taken by caddy (pid " in second.stderr
    assert "Traceback" not in second.stderr
