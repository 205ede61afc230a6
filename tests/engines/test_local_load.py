"""What the processes and devices of a local run do."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pynvml
import pytest

from engines.clusters.local import load
from engines.clusters.local.processes import Identity, identify
from tests.waiting import wait_until

BURN = "while True: pass"


@pytest.fixture
def burning() -> Iterator[Identity]:
    process = subprocess.Popen([sys.executable, "-S", "-c", BURN])
    yield identify(process.pid)
    process.kill()
    process.wait()


def test_what_burns_is_told_from_what_waits(burning):
    wait_until(lambda: load.measure([burning], []).cpu_share > 0.05)
    assert load.measure([], []) == load.Load(0.0)


def test_work_on_a_busy_machine_does_not_look_like_rest():
    """Eight that share one core get an eighth of it each."""
    core = min(os.sched_getaffinity(0))
    crowd = [
        subprocess.Popen([sys.executable, "-S", "-c", f"import os; os.sched_setaffinity(0, [{core}])\n{BURN}"]) for _ in range(8)
    ]
    try:
        one = identify(crowd[0].pid)
        wait_until(lambda: load.measure([one], []).cpu_share > 0.6)
    finally:
        for process in crowd:
            process.kill()
            process.wait()


def test_a_process_that_is_gone_counts_as_nothing(burning):
    assert load.measure([Identity(2**22 + 1, "x")], []).cpu_share == 0.0
    assert load._waited_seconds(2**22 + 1) == 0.0  # also if it goes between two questions


class Driver:
    """NVML of a machine with two GPUs."""

    def __init__(self, **shares: int) -> None:
        self.shares, self.open = shares, 0

    def nvmlInit(self) -> None:  # noqa: N802 - NVML's name
        self.open += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.open -= 1

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        return uuid

    def nvmlDeviceGetUtilizationRates(self, uuid: str) -> object:  # noqa: N802
        if uuid not in self.shares:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)  # as of a MIG slice
        return type("Rates", (), {"gpu": self.shares[uuid]})


@pytest.mark.parametrize(
    ("devices", "expected"),
    [(["a"], 0.07), (["a", "b"], 0.93), (["b", "mig"], None), ([], None)],
    ids=["one", "two", "mig", "none"],
)
def test_the_busiest_device_counts(monkeypatch, devices, expected):
    driver = Driver(a=7, b=93)
    for name in ("nvmlInit", "nvmlShutdown", "nvmlDeviceGetHandleByUUID", "nvmlDeviceGetUtilizationRates"):
        monkeypatch.setattr(pynvml, name, getattr(driver, name))
    assert load.gpu_share(devices) == expected
    assert driver.open == 0


def test_without_a_driver_nothing_is_said():
    assert load.gpu_share(["GPU-1"]) is None
