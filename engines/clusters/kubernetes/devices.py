"""Devices of dynamic resource allocation: what ResourceSlices offer and ResourceClaims have taken. Pure.

Read are resource.k8s.io v1 and, where its devices have a `basic` part, v1beta1. Left out, so that no slot is promised that is not
there: partitions that share counters with others, devices for several claims at once, and devices with a taint.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from engines.clusters.base import GpuSpec
from engines.clusters.kubernetes.nodes import Json, name_of
from engines.clusters.kubernetes.selecting import Device, selects

Key = tuple[str, str, str]
"""Driver, pool and device: what tells a device from all others in the cluster."""

# What the makers' drivers install as device classes; the objects themselves count first, where they are known.
KNOWN_CLASSES: Mapping[str, tuple[str, ...]] = {
    "gpu.nvidia.com": ("device.driver == 'gpu.nvidia.com'", "device.attributes['gpu.nvidia.com'].type == 'gpu'"),
    "mig.nvidia.com": ("device.driver == 'gpu.nvidia.com'", "device.attributes['gpu.nvidia.com'].type == 'mig'"),
    "gpu.amd.com": ("device.driver == 'gpu.amd.com'",),
    "gpu.intel.com": ("device.driver == 'gpu.intel.com'",),
}


def key_of(device: Device) -> Key:
    """Name the device."""
    return device.driver, device.pool, device.name


def offered(slices: Iterable[Json]) -> list[Device]:
    """Return the devices of the newest generation of every pool that a claim can have as a whole."""
    documents = [each.get("spec") or {} for each in slices]
    newest: dict[tuple[str, str], int] = {}
    for spec in documents:
        newest[_pool(spec)] = max(newest.get(_pool(spec), 0), _generation(spec))
    return [device for spec in documents if _generation(spec) == newest[_pool(spec)] for device in _devices(spec)]


def _pool(spec: Json) -> tuple[str, str]:
    return str(spec.get("driver", "")), str((spec.get("pool") or {}).get("name", ""))


def _generation(spec: Json) -> int:
    return int((spec.get("pool") or {}).get("generation", 0))


def _devices(spec: Json) -> Iterator[Device]:
    driver, pool = _pool(spec)
    for raw in spec.get("devices") or ():
        told = raw.get("basic") or raw
        if told.get("consumesCounters") or told.get("allowMultipleAllocations") or told.get("taints"):
            continue
        yield Device(
            driver=driver,
            pool=pool,
            name=str(raw.get("name", "")),
            node=str(spec.get("nodeName") or told.get("nodeName") or ""),
            attributes={_full(driver, name): _value(each) for name, each in (told.get("attributes") or {}).items()},
            capacity={_full(driver, name): str(each.get("value", each)) for name, each in (told.get("capacity") or {}).items()},
        )


def _full(driver: str, name: str) -> str:
    return name if "/" in name else f"{driver}/{name}"


def _value(given: Any) -> Any:
    """Read one of `string`, `int`, `bool`, `version`."""
    return next(iter(given.values()), None) if isinstance(given, Mapping) else given


def allocated(claims: Iterable[Json]) -> set[Key]:
    """Return the devices that the claims have."""
    return {
        (each.get("driver", ""), each.get("pool", ""), each.get("device", ""))
        for claim in claims
        for each in (((claim.get("status") or {}).get("allocation") or {}).get("devices") or {}).get("results") or ()
    }


def expressions(device_class: str, device_classes: Iterable[Json]) -> Sequence[str]:
    """Return the conditions of a device class: those of its object, else what its maker is known to install, else its driver."""
    for each in device_classes:
        if name_of(each) == device_class:
            selectors = (each.get("spec") or {}).get("selectors") or ()
            return [str((selector.get("cel") or {}).get("expression", "")) for selector in selectors]
    return KNOWN_CLASSES.get(device_class, (f"device.driver == '{device_class}'",))


def claims_per_node(spec: GpuSpec, free: Sequence[Device], device_classes: Sequence[Json] = ()) -> Counter[str]:
    """Return how many workloads of the class the free devices of each node hold; alternatives are taken in their order.

    Devices of no node in particular are counted under "". Raises NotUnderstood for selectors beyond `selecting`.
    """
    left = {key_of(device): device for device in free}
    found: Counter[str] = Counter()
    for request in spec.dra.get("first_available") or ():
        conditions = [*expressions(request["device_class"], device_classes), *request.get("cel", ())]
        fitting: dict[str, list[Device]] = {}
        for device in left.values():
            if all(selects(condition, device) for condition in conditions):
                fitting.setdefault(device.node, []).append(device)
        size = int(request.get("count", 1))
        for node, devices in fitting.items():
            number = len(devices) // size
            found[node] += number
            for device in devices[: number * size]:
                del left[key_of(device)]
    return found
