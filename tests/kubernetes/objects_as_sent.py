"""Kubernetes objects as the API sends them, cut down to what a test is about."""

from datetime import UTC, datetime
from typing import Any

from engines.clusters.base import Phase
from engines.clusters.kubernetes.observe import observe
from engines.clusters.kubernetes.seen import Seen
from engines.clusters.kubernetes.tombstones import Tombstone, inscription, key_of
from engines.reasons import Reason

Json = dict[str, Any]
NAME, NAMESPACE, VOLUME = "i-7f3k2qxbcd", "aigc-t-acme", "v-7f3k2qxbcd"
NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
GPU = "nvidia.com/gpu"


def clock(seconds: int) -> str:
    """Return a moment, `seconds` after half past seven."""
    return datetime.fromtimestamp(1795332600 + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def metadata(name: str, uid: str, **more: Any) -> Json:
    return {"name": name, "namespace": NAMESPACE, "uid": uid, "creationTimestamp": clock(0), **more}


def stateful_set(*, replicas: int = 1, generation: int = 2, observed: int = 2, **more: Any) -> Json:
    more.setdefault("annotations", {"aigc-portal.io/epoch": "7"})
    return {
        "metadata": metadata(NAME, "set", generation=generation, **more),
        "spec": {"replicas": replicas},
        "status": {"observedGeneration": observed},
    }


def pod(*conditions: Json, container: Json | None = None, uid: str = "pod", spec: Json | None = None, **more: Any) -> Json:
    status: Json = {"phase": "Pending", "conditions": list(conditions), **more.pop("status", {})}
    if container is not None:
        status["containerStatuses"] = [{"name": "engine", "restartCount": 0, "state": {}, "lastState": {}, **container}]
    limits = {"cpu": "8", GPU: "1"}
    asked = {"containers": [{"name": "engine", "resources": {"limits": limits}}], "volumes": [volume(VOLUME)]}
    return {"metadata": metadata(f"{NAME}-0", uid, **more), "spec": asked | (spec or {}), "status": status}


def volume(claim: str, *, read_only: bool = False) -> Json:
    return {"name": claim, "persistentVolumeClaim": {"claimName": claim, **({"readOnly": True} if read_only else {})}}


def condition(kind: str, status: str = "True", reason: str = "", message: str = "", at: int = 1) -> Json:
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": clock(at)}


PLACED = condition("PodScheduled")
READY = condition("Ready", at=9)


def unplaced(message: str, reason: str = "Unschedulable") -> Json:
    return pod(condition("PodScheduled", "False", reason, message))


def waiting(reason: str, message: str = "", **more: Any) -> Json:
    return pod(PLACED, container={"state": {"waiting": {"reason": reason, "message": message}}}, **more)


def ended(code: int, reason: str = "Error", message: str = "", began: int = 10, finished: int = 20) -> Json:
    end = {"exitCode": code, "reason": reason, "startedAt": clock(began), "finishedAt": clock(finished)}
    return {"terminated": end | ({"message": message} if message else {})}


def event(reason: str, message: str, *, about: str = "pod", count: int = 1, first: int = 5, last: int = 5) -> Json:
    return {
        "metadata": metadata(f"{reason}-{message}"[:40], f"event {reason} {message}"),
        "involvedObject": {"kind": "Pod", "uid": about},
        "reason": reason,
        "message": message,
        "count": count,
        "firstTimestamp": clock(first),
        "lastTimestamp": clock(last),
    }


def claim(phase: str = "Bound", **more: Any) -> Json:
    return {"metadata": metadata(VOLUME, "claim", **more), "status": {"phase": phase}}


def tombstone(*words: Any, **more: Any) -> dict[str, str]:
    """Return the annotation in which an ended workload is remembered."""
    return {key_of(NAME): inscription(Tombstone(*words, **more))}


def node(ready: str = "True", taint: str = "") -> Json:
    status = {"conditions": [condition("Ready", ready, "NodeStatusUnknown", "Kubelet stopped posting node status.")]}
    return {"metadata": {"name": "gpu-1"}, "spec": {"taints": [{"key": taint}] if taint else []}, "status": status}


def seen(*pods: Json, **more: Any) -> Seen:
    more.setdefault("stateful_set", stateful_set())
    return Seen(NAME, NAMESPACE, pods=pods, **more)


def judge(what: Json, **more: Any) -> tuple[Phase, Reason | None]:
    """Return what is made of one Pod."""
    found = observe(seen(what, **more), now=NOW)
    return found.phase, found.reason
