"""The GPUs of this machine, by NVML; none where there is no driver."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pynvml


@dataclass(frozen=True)
class Device:
    """One GPU. The UUID is what CUDA_VISIBLE_DEVICES takes and what does not change when a card is added."""

    index: int
    uuid: str
    name: str


def list_devices() -> list[Device]:
    """Ask NVML; empty without its library or driver."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        handles = [(index, pynvml.nvmlDeviceGetHandleByIndex(index)) for index in range(pynvml.nvmlDeviceGetCount())]
        return [Device(index, pynvml.nvmlDeviceGetUUID(handle), pynvml.nvmlDeviceGetName(handle)) for index, handle in handles]
    finally:
        pynvml.nvmlShutdown()


def by_class(devices: Sequence[Device], wanted: Mapping[str, Sequence[int] | str]) -> dict[str, list[str]]:
    """Divide devices among GPU classes: by index, or by part of the name; the first class that claims a device has it."""
    classes: dict[str, list[str]] = {}
    left = list(devices)
    for gpu_class, claim in wanted.items():
        mine = [device for device in left if _matches(device, claim)]
        classes[gpu_class] = [device.uuid for device in mine]
        left = [device for device in left if device not in mine]
    return classes


def _matches(device: Device, claim: Sequence[int] | str) -> bool:
    return claim.lower() in device.name.lower() if isinstance(claim, str) else device.index in claim
