"""GPUs of this machine, by NVML where there is one."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

import pynvml


def gpu_names() -> list[str]:
    """Product names of the machine's NVIDIA GPUs by index; none without the driver."""
    with suppress(pynvml.NVMLError):
        pynvml.nvmlInit()
        try:
            return [pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(i)) for i in range(pynvml.nvmlDeviceGetCount())]
        finally:
            pynvml.nvmlShutdown()
    return []


def devices_by_class(gpus: Mapping[str, Sequence[int] | str], names: Sequence[str]) -> dict[str, list[int]]:
    """Map GPU class → device indexes. A class names its devices by index, or by a part of their product name."""
    found = {}
    for gpu_class, wanted in gpus.items():
        if isinstance(wanted, str):
            found[gpu_class] = [index for index, name in enumerate(names) if wanted.casefold() in name.casefold()]
        else:
            found[gpu_class] = [index for index in wanted if index < len(names)]
    return found


def free_devices(devices: Sequence[int], taken: Iterable[int], count: int) -> list[int] | None:
    """Choose `count` devices that nobody has, or None if there are not as many."""
    free = [index for index in devices if index not in set(taken)]
    return free[:count] if len(free) >= count else None
