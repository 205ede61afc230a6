"""What the processes of one run do, or would if they had a core: CPU by the kernel's accounts, GPUs by NVML."""

import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pynvml

from engines.clusters.base import Load
from engines.clusters.local.processes import Identity

WINDOW_SECONDS = 0.3


def measure(processes: Sequence[Identity], devices: Sequence[str]) -> Load:
    """Watch the processes for a moment; `devices` are the UUIDs of GPUs that are theirs alone."""
    began, before = time.monotonic(), _seconds_of(processes)
    time.sleep(WINDOW_SECONDS)
    after, took = _seconds_of(processes), time.monotonic() - began
    still_there = after.keys() & before.keys()
    # Each by itself: what a thread waited is forgotten when it ends, and must not hide what others spent.
    pairs = [pair for process in still_there for pair in zip(before[process], after[process], strict=True)]
    return Load(cpu_share=sum(max(0.0, then - at_first) for at_first, then in pairs) / took, gpu_share=gpu_share(devices))


def _seconds_of(processes: Sequence[Identity]) -> dict[Identity, tuple[float, float]]:
    """CPU seconds that each of those still there has spent, and waited for: on a busy machine work must not look like rest."""
    spent = {}
    for process in processes:
        try:
            times = psutil.Process(process.pid).cpu_times()
        except psutil.Error:
            continue
        spent[process] = times.user + times.system, _waited_seconds(process.pid)
    return spent


def _waited_seconds(pid: int) -> float:
    """How long its threads were ready and had no core (the second field of schedstat); 0 where the kernel does not tell."""
    waited = 0
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:  # the process ended meanwhile
        return 0.0
    for thread in threads:
        try:
            waited += int((thread / "schedstat").read_text().split()[1])
        except (OSError, IndexError, ValueError):
            continue  # the thread ended meanwhile
    return waited / 1e9


def gpu_share(devices: Sequence[str]) -> float | None:
    """How busy the busiest of these GPUs is, 0 to 1; None without any, or where a driver does not tell."""
    if not devices:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        handles = [pynvml.nvmlDeviceGetHandleByUUID(uuid) for uuid in devices]
        return max(float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu) for handle in handles) / 100
    except pynvml.NVMLError:
        return None
    finally:
        pynvml.nvmlShutdown()
