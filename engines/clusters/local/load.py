"""What the processes of one run do right now: CPU by the kernel's accounts, GPUs by NVML."""

import time
from collections.abc import Sequence

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
    spent = sum(seconds - before[process] for process, seconds in after.items() if process in before)
    return Load(cpu_share=max(0.0, spent / took), gpu_share=gpu_share(devices))


def _seconds_of(processes: Sequence[Identity]) -> dict[Identity, float]:
    """CPU seconds that each of those still there has spent."""
    spent = {}
    for process in processes:
        try:
            times = psutil.Process(process.pid).cpu_times()
        except psutil.Error:
            continue
        spent[process] = times.user + times.system
    return spent


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
