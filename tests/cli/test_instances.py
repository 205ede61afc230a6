"""Instances from a terminal, on the portal itself."""

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from engines.models import Cluster, EngineVersion, GpuClass, Instance, Volume
from tenants.access_tokens.operations import Made
from tenants.models import Tenant, User
from tests import factories
from tests.cli.conftest import Aigc
from tests.driving import drive
from tests.waiting import wait_until

PAUSED = {"state": "stopped", "desired_state": "stopped"}


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline()


@pytest.fixture
def offer(cluster: Cluster, engine_version: EngineVersion, gpu_class: GpuClass) -> None:
    """There is something to launch."""


@pytest.fixture
def dragon(as_alice: Made, acme: Tenant, alice: User, cluster: Cluster, engine_version: EngineVersion) -> Instance:
    return factories.make_instance(acme, alice, cluster, name="Dragon", **PAUSED, engine_version=engine_version)


def test_from_launch_to_end(aigc: Aigc, as_alice: Made, offer: None) -> None:
    launched = aigc("launch", "double", "--gpu", "cpu-small", "--name", "Dragon", "--project", "Spring", "--json")
    found = json.loads(launched.out)
    assert found["project"] == "Spring"
    assert (launched.code, found["name"], found["state"], found["queue_position"]) == (0, "Dragon", "queued", 1)
    assert aigc("launch", "double", "--gpu", "cpu-small", "--name", "dragon").code == 1
    assert "engine: " in aigc("launch", "nothing", "--gpu", "cpu-small").err
    assert "Dragon" in aigc("list").out
    assert "place 1" in aigc("show", found["id"]).out
    assert aigc("rename", "dragon", "Wyvern").err == "Dragon is now called Wyvern.\n"
    assert aigc("pause", "Dragon").code == 4
    paused = aigc("pause", "wyvern", "--json")
    assert (paused.code, json.loads(paused.out)["desired_state"]) == (0, "stopped")
    assert aigc("restart", "Wyvern").code == 1
    assert aigc("keep", "Wyvern", "--for", "2h").code == 1
    deleted = aigc("delete", "Wyvern", "--trash-data", "--yes")
    assert (deleted.code, deleted.err) == (0, "Wyvern is being deleted. Its data goes to the trash.\n")
    assert (Instance.objects.get().desired_state, Volume.objects.get().state) == ("deleted", Volume.State.TRASHED)


def test_waiting_for_it_and_restarting_it(aigc: Aigc, as_alice: Made, alice: User, offer: None) -> None:
    process = aigc.start("launch", "double", "--gpu", "cpu-small", "-n", "Dragon", "--wait")
    wait_until(Instance.objects.exists, seconds=60)
    instance = drive(Instance.objects.get(), "running")
    out, err = process.communicate(timeout=180)
    assert (process.returncode, out) == (0, f"http://{instance.slug}.engines.localhost:8000/\n")
    assert err.endswith("Dragon is running.\n")
    assert aigc("open", "Dragon").out == out
    first, again = instance.run_id, aigc.start("restart", "Dragon", "--wait", "--json")
    wait_until(lambda: Instance.objects.get().restart_due, seconds=60)
    assert again.poll() is None
    wait_until(lambda: drive(instance, "running").run_id != first, seconds=60)
    out, _err = again.communicate(timeout=180)
    assert json.loads(out)["group"] == "running"
    assert "engine up" in aigc("logs", "Dragon").out
    assert aigc("logs", "Dragon", "--tail", "0").out == ""


def test_a_log_is_followed_as_the_engine_writes_it(aigc: Aigc, as_alice: Made, offer: None, cluster: Cluster) -> None:
    assert aigc("launch", "double", "--gpu", "cpu-small", "-n", "Dragon").code == 0
    drive(Instance.objects.get(), "running")
    follower = aigc.start("logs", "--follow", "Dragon")
    assert [read_line(follower).strip() for _ in range(2)] == ["engine up", "listening"]
    (log,) = Path(cluster.config["root"]).rglob("log-*")
    for number in range(3):
        with log.open("a") as file:
            file.write(f"step {number}\n")
        assert read_line(follower) == f"step {number}\n"
    follower.send_signal(signal.SIGINT)
    assert follower.wait(180) == 0


def test_ctrl_c_while_waiting_says_that_the_launch_goes_on(aigc: Aigc, as_alice: Made, offer: None) -> None:
    process = aigc.start("launch", "double", "--gpu", "cpu-small", "--wait")
    assert process.stderr
    assert "(place 1)" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=180)
    slug = Instance.objects.get(desired_state="running").slug
    assert (process.returncode, out) == (130, "")
    assert err == (f"aigc: No longer waiting. The launch goes on: see `aigc show {slug}`; `aigc pause {slug}` ends it.\n")


def test_each_sees_what_the_portal_shows_them(
    aigc: Aigc,
    dragon: Instance,
    anna: User,
    bob: User,
    token_of: Callable[..., Made],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert json.loads(aigc("list", "--state", "stopped", "--json").out)[0]["id"] == dragon.slug
    assert json.loads(aigc("list", "--state", "running", "--state", "failed", "--json").out) == []
    assert aigc("list", "--state", "asleep").code == 2
    monkeypatch.setenv("AIGC_TOKEN", token_of(anna).secret)
    assert aigc("list").out == ""
    assert "Dragon" in aigc("list", "--all").out
    assert aigc("open", "Dragon").code == 1
    assert aigc("logs", "Dragon").code == 1
    monkeypatch.setenv("AIGC_TOKEN", token_of(bob).secret)
    for command in ("show", "open", "logs", "pause", "resume", "restart", "keep"):
        for tenant in ("acme", "bolt"):
            done = aigc(command, dragon.slug, "--tenant", tenant)
            assert (done.code, done.out) == (4, ""), (command, done)
    assert aigc("delete", dragon.slug, "--yes", "--tenant", "acme").code == 4
    dragon.refresh_from_db()
    assert dragon.generation == 1


def test_an_engine_that_does_not_run_is_not_opened_but_told(aigc: Aigc, dragon: Instance) -> None:
    done = aigc("open", "Dragon")
    assert (done.code, done.out) == (0, f"http://{dragon.slug}.engines.localhost:8000/\n")
    assert done.err == f"It does not run now (Paused). See `aigc resume {dragon.slug} --wait`.\n"
    assert json.loads(aigc("resume", "Dragon", "--json").out)["desired_state"] == "running"


def test_what_a_tenant_has(aigc: Aigc, dragon: Instance, offer: None) -> None:
    factories.cap(dragon.tenant, running=3)
    assert aigc("catalog").out.split("\n")[1].split()[:2] == ["double", "Double"]
    offered = json.loads(aigc("catalog", "double", "--json").out)
    assert (offered["engine"]["slug"], [each["slug"] for each in offered["gpu_classes"]]) == ("double", ["cpu-small"])
    assert "4 of 4" in aigc("catalog", "double").out
    assert aigc("catalog", "nothing").code == 4
    volume = Volume.objects.get()
    assert volume.slug in aigc("volumes").out
    assert json.loads(aigc("volumes", "--place", "used", "--json").out)[0]["instance"] == dragon.slug
    assert json.loads(aigc("volumes", "--place", "trash", "--json").out) == []
    assert aigc("volumes", "--place", "attic").code == 2
    limit = next(each for each in json.loads(aigc("limits", "--json").out) if each["measure"] == "running")
    assert (limit["used"], limit["limit"]) == ("0", "3")
    assert "Running instances" in aigc("limits").out


def test_costs_of_a_month(aigc: Aigc, dragon: Instance) -> None:
    summary = json.loads(aigc("costs", "--json").out)
    assert (summary["own_only"], summary["instances"]) == (True, [])
    assert aigc("costs", "--month", "2025-01").out.startswith("Yours in 2025-01: 0.00 ")
    assert aigc("costs", "--month", "1999").code == 1
    assert aigc("costs", "--month", "2999-01").code == 1
