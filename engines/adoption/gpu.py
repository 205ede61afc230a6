"""The GPU class that a Pod template asks for: resources of the engine's container, and where the Pod may land."""

import json
import re
from dataclasses import dataclass
from typing import Any

from engines import catalog_schema as schema
from engines.adoption.cloud import ECI_SPECS, Marks, read_marks
from engines.adoption.findings import Decider, Fields, misfit
from engines.adoption.naming import short_hash, slug, spell_size
from engines.adoption.placement import read_placement
from engines.adoption.quantities import mib, millis, whole

# What a class asks for where the template does not say; the operator is told.
_CPU_MILLIS = 4000
_RAM_MIB = 16384

_MIG = re.compile(r"nvidia\.com/mig-[0-9]+g\.([0-9]+)gb")
_ECI_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)-([0-9]+(?:\.[0-9]+)?)Gi")
_HAMI = ("nvidia.com/gpumem", "nvidia.com/gpumem-percentage", "nvidia.com/gpucores")
_PRODUCT = "nvidia.com/gpu.product"
_SHARING = "nvidia.com/gpu.sharing-strategy"
_ACK_MEMORY = "aliyun.com/gpu-mem"
_TIME_SLICED = "nvidia.com/gpu.shared"
_FIRST = ("nvidia.com/gpu", _TIME_SLICED, _ACK_MEMORY, "amd.com/gpu")
_UNSHARED = "takes turns on a card with others, whose memory is not kept apart; not for tenants who do not trust each other"


@dataclass(frozen=True)
class _Device:
    """The extended resource that stands for the GPU, and what its name says."""

    vendor: str = "cpu"
    sharing: str = ""
    memory_mib: int = 0
    resource: str = ""
    count: int = 1
    discover: str = "allocatable"


def read_gpu_class(template: Fields, pod: Fields, container: Fields) -> dict[str, Any]:
    """Read the class as an entry of a catalog file."""
    metadata = template.mapping("metadata")
    marks = read_marks(metadata.mapping("labels"), metadata.mapping("annotations"))
    metadata.report_rest(defaults={"creationTimestamp": ..., "name": ..., "namespace": ...})
    resources = container.mapping("resources")
    requests, limits = resources.mapping("requests"), resources.mapping("limits")
    cpu_millis, ram_mib = _size(requests, limits, marks)
    asked = {key: limits.take(key) for key, _ in list(limits.unread())}
    asked |= {key: value for key, value in requests.unread() if key not in asked}
    resources.report_rest()
    placement = read_placement(pod)
    device = _device({key: value for key, value in asked.items() if "/" in key}, placement.get("node_selector", {}), limits)
    extra = _extra_limits({key: value for key, value in asked.items() if key != device.resource}, limits)
    how = {
        "extra_limits": extra,
        **placement,
        "runtime_class_name": pod.text("runtimeClassName"),
        "scheduler_name": pod.text("schedulerName").replace("default-scheduler", ""),
        "pod_labels": marks.labels,
        "pod_annotations": marks.annotations,
    }
    how = {name: value for name, value in how.items() if value}
    virtual = marks.virtual or placement.get("node_selector", {}).get("type") == "virtual-kubelet"
    return _entry(device, how, (cpu_millis, ram_mib), virtual=virtual)


def _size(requests: Fields, limits: Fields, marks: Marks) -> tuple[int, int]:
    """CPU and memory: the limit, else the request, else what ECI was told, else a guess that is reported."""
    specs = _ECI_SIZE.match(marks.annotations.get(ECI_SPECS, ""))
    cores, memory = (specs[1], f"{specs[2]}Gi") if specs else (None, None)
    cpu = _one(requests, limits, "cpu", cores, f"{_CPU_MILLIS}m")
    ram = _one(requests, limits, "memory", memory, f"{_RAM_MIB}Mi")
    return millis(cpu) or _CPU_MILLIS, mib(ram) or _RAM_MIB


def _one(requests: Fields, limits: Fields, name: str, cloud: str | None, guess: str) -> object:
    request, limit = requests.take(name), limits.take(name)
    if request is not None and limit is not None and millis(request) != millis(limit):
        text = f"{request} is less than the limit of {limit}; a GPU class has one figure, and the limit is taken"
        requests.notes.note(requests.at(name), text, Decider.OPERATOR)
    for value, fields in ((limit, limits), (request, requests)):
        if value is not None and millis(value) is None:
            fields.notes.refuse(fields.at(name), f"“{value}” is not a Kubernetes quantity, such as 8Gi")
            return None
    found: object = limit if limit is not None else request if request is not None else cloud
    if found is None:
        limits.notes.note(limits.at(name), f"is not said; {guess} is a guess", Decider.OPERATOR)
    return found if found is not None else guess


def _device(asked: dict[str, Any], selector: dict[str, str], limits: Fields) -> _Device:
    """Choose the resource that stands for the GPU; HAMi's own are shares of it, not devices."""
    names = [name for name in asked if name not in _HAMI]
    if not names:
        return _Device()
    name = min(names, key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), name))
    count, wrong = whole(asked[name]), misfit(schema.LabelKey, name)
    if count is None or wrong:
        limits.notes.refuse(limits.at(name), wrong or f"“{asked[name]}” is not a whole number of devices")
        return _Device()
    if mig := _MIG.fullmatch(name):
        return _Device("nvidia", "mig", int(mig[1]) * 1024, name, count)
    if name.startswith("nvidia.com/") and any(other in asked for other in _HAMI):
        return _Device("nvidia", "hami", whole(asked.get(_HAMI[0], 0)) or 0, name, count, "hami-register")
    if name in {_ACK_MEMORY, _TIME_SLICED} or _SHARING in selector:
        return _shared(name, count, selector.get(_SHARING, ""), limits)
    limits.notes.note(limits.at(name), "how much memory the GPU has is not said: set memory_mib", Decider.OPERATOR)
    return _Device(_vendor(name), "", 0, name, count, "product-label" if _PRODUCT in selector else "allocatable")


def _shared(name: str, count: int, strategy: str, limits: Fields) -> _Device:
    if strategy == "mps":
        return _Device("nvidia", "mps", 0, name, count, "replicas")
    limits.notes.note(limits.at(name), _UNSHARED, Decider.OPERATOR)
    if name == _ACK_MEMORY:
        return _Device("nvidia", "time-slicing", count * 1024, name, count)
    return _Device("nvidia", "time-slicing", 0, name, count, "replicas")


def _vendor(resource: str) -> str:
    owner = resource.partition("/")[0].removeprefix("gpu.").removesuffix(".com")
    return owner if owner in {"nvidia", "amd", "intel"} else "other"


def _extra_limits(asked: dict[str, Any], limits: Fields) -> dict[str, str]:
    extra = {}
    for key, value in asked.items():
        wrong = misfit(schema.LabelKey, key) or misfit(schema.Quantity, str(value))
        if wrong:
            limits.notes.refuse(limits.at(key), wrong)
        else:
            extra[key] = str(value)
    return extra


def _entry(device: _Device, how: dict[str, Any], size: tuple[int, int], *, virtual: bool) -> dict[str, Any]:
    product = how.get("node_selector", {}).get(_PRODUCT, "")
    many = f"{device.count}g" if device.resource == _ACK_MEMORY else f"x{device.count}" if device.count > 1 else ""
    kind = product or device.resource.replace(".com/", "-") or "cpu"
    distinct = short_hash(json.dumps(how, sort_keys=True)) if how else ""
    name = ", ".join(
        [
            product.replace("-", " ") or (f"{device.count} × {device.resource}" if device.resource else "CPU"),
            "1 core" if size[0] == 1000 else f"{size[0] / 1000:g} cores",
            f"{size[1] / 1024:.4g} GiB",
        ]
    )
    entry = {
        "slug": slug("-".join(part for part in ("eci" if virtual else "", kind, many, spell_size(*size), distinct) if part)),
        "name": f"{name} in the cloud"[:80] if virtual else name[:80],
        "summary": f"Adopted from AIGC-Gateway: {name}."[:200],
        "vendor": device.vendor,
        "sharing": device.sharing,
        "memory_mib": device.memory_mib,
        "resource": device.resource,
        "count": device.count if device.resource else 0,
        **how,
        "cpu_millis": size[0],
        "ram_mib": size[1],
        "discover": {"by": "slots" if virtual else device.discover},
    }
    return {key: value for key, value in entry.items() if value}
