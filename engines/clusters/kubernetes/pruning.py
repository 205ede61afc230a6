"""What of each object is kept in memory: the fields that `observe` reads, and what tells one object from another. Pure."""

import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from engines.clusters.kubernetes.labels import ENGINE_CONTAINER, OURS
from engines.clusters.kubernetes.objects import Json, dig, listed, text
from engines.clusters.kubernetes.wording import EVIDENCE_BYTES

_IDENTITY = ("name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp")
_GRACE = ("deletionGracePeriodSeconds",)
_CONDITION = ("type", "status", "reason", "message", "lastTransitionTime")
_POD_CONDITIONS = frozenset({"PodScheduled", "PodReadyToStartContainers", "Ready", "DisruptionTarget"})
_STATES = {
    "waiting": ("reason", "message"),
    "running": ("startedAt",),
    "terminated": ("exitCode", "reason", "message", "startedAt", "finishedAt"),
}
_CONTAINER = ("name", "ready", "started", "restartCount", "allocatedResourcesStatus")
_EVENT = ("reason", "message", "type", "count", "firstTimestamp", "lastTimestamp", "eventTime", "series")
_WORDS = 40  # characters; what is shorter is mostly said of many


def prune(kind: str, obj: Json) -> dict[str, Any]:
    """Return a copy with what `observe` reads of a Pod, StatefulSet, PersistentVolumeClaim, Event or Node.

    Observing the copies gives what observing the originals gives. Pruning twice changes nothing. KeyError for other kinds.
    """
    return _PRUNERS[kind](obj)


def _pick(obj: object, keys: Iterable[str]) -> dict[str, Any]:
    if not isinstance(obj, Mapping):
        return {}
    return {key: _lean(obj[key]) for key in keys if obj.get(key) is not None}


def _lean(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return sys.intern(value) if len(value) <= _WORDS else value[:EVIDENCE_BYTES]


def _metadata(obj: Json, *more: str) -> dict[str, Any]:
    kept = _pick(dig(obj, "metadata"), (*_IDENTITY, *more))
    for key in ("labels", "annotations"):
        ours = dig(obj, "metadata", key)
        if isinstance(ours, Mapping) and (found := {sys.intern(k): v for k, v in ours.items() if k.startswith(OURS)}):
            kept[key] = found
    return kept


def _filled(**parts: Any) -> dict[str, Any]:
    return {key: part for key, part in parts.items() if part}


def _conditions(obj: Json, wanted: Collection[object]) -> list[dict[str, Any]]:
    conditions = listed(obj, "status", "conditions")
    return [_pick(condition, _CONDITION) for condition in conditions if text(condition, "type") in wanted]


def _state(state: object) -> dict[str, Any]:
    if not isinstance(state, Mapping):
        return {}
    return {kind: _pick(state[kind], keys) for kind, keys in _STATES.items() if isinstance(state.get(kind), Mapping)}


def _container(status: Json) -> dict[str, Any]:
    states = _filled(state=_state(status.get("state")), lastState=_state(status.get("lastState")))
    return _pick(status, _CONTAINER) | states


def _engine_first(obj: Json) -> list[dict[str, Any]]:
    """The engine's status; without one by that name, all of them."""
    statuses = listed(obj, "status", "containerStatuses")
    named = [status for status in statuses if status.get("name") == ENGINE_CONTAINER]
    return [_container(status) for status in named or statuses]


def _devices(container: Json) -> dict[str, Any]:
    limits = dig(container, "resources", "limits")
    kept = {sys.intern(k): v for k, v in limits.items() if "/" in k} if isinstance(limits, Mapping) else {}
    return {"resources": {"limits": kept}} if kept else {}


def _claims(obj: Json) -> list[dict[str, Any]]:
    claims = (_pick(dig(volume, "persistentVolumeClaim"), ("claimName", "readOnly")) for volume in listed(obj, "spec", "volumes"))
    return [{"persistentVolumeClaim": claim} for claim in claims if claim]


def _pod(obj: Json) -> dict[str, Any]:
    spec = _pick(dig(obj, "spec"), ("nodeName",)) | _filled(
        containers=[found for container in listed(obj, "spec", "containers") if (found := _devices(container))],
        volumes=_claims(obj),
    )
    status = _pick(dig(obj, "status"), ("phase", "reason", "message")) | _filled(
        conditions=_conditions(obj, _POD_CONDITIONS),
        initContainerStatuses=[_container(status) for status in listed(obj, "status", "initContainerStatuses")],
        containerStatuses=_engine_first(obj),
    )
    return {"metadata": _metadata(obj, *_GRACE), "spec": spec, "status": status}


def _stateful_set(obj: Json) -> dict[str, Any]:
    spec, status = _pick(dig(obj, "spec"), ("replicas",)), _pick(dig(obj, "status"), ("observedGeneration",))
    return {"metadata": _metadata(obj), "spec": spec, "status": status}


def _claim(obj: Json) -> dict[str, Any]:
    return {"metadata": _metadata(obj), "status": _pick(dig(obj, "status"), ("phase",))}


def _event(obj: Json) -> dict[str, Any]:
    about = _pick(dig(obj, "involvedObject"), ("kind", "namespace", "name", "uid"))
    return {"metadata": _metadata(obj), "involvedObject": about} | _pick(obj, _EVENT)


def _node(obj: Json) -> dict[str, Any]:
    taints = [_pick(taint, ("key", "effect")) for taint in listed(obj, "spec", "taints")]
    return {"metadata": _metadata(obj), "spec": {"taints": taints}, "status": {"conditions": _conditions(obj, {"Ready"})}}


_PRUNERS: dict[str, Callable[[Json], dict[str, Any]]] = {
    "Pod": _pod,
    "StatefulSet": _stateful_set,
    "PersistentVolumeClaim": _claim,
    "Event": _event,
    "Node": _node,
}
