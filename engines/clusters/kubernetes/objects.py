"""Typed looks at Kubernetes objects as the API sends them: plain dicts in which anything may be missing or odd. Pure.

Nothing here raises on bad input: text is "", a number 0, a list empty, a moment None.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from engines.clusters.kubernetes.labels import ENGINE_CONTAINER, ROLE, ROLE_ENGINE

Json = Mapping[str, Any]


def dig(value: Any, *path: str) -> Any:
    """Follow keys into nested objects; None where the way ends."""
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def text(value: Any, *path: str) -> str:
    """Read a string."""
    found = dig(value, *path)
    return found if isinstance(found, str) else ""


def number(value: Any, *path: str) -> int:
    """Read an integer, also one that is written as text."""
    found = dig(value, *path)
    try:
        return int(found)
    except (TypeError, ValueError, OverflowError):
        return 0


def listed(value: Any, *path: str) -> list[Json]:
    """Read a list of objects; what is no object is left out."""
    found = dig(value, *path)
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def moment(value: Any, *path: str) -> datetime | None:
    """Read a moment, aware and in UTC."""
    try:
        found = datetime.fromisoformat(text(value, *path))
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def annotation(value: Json | None, key: str) -> str:
    """Read one annotation."""
    return text(value, "metadata", "annotations", key)


@dataclass(frozen=True)
class Container:
    """The status of one container."""

    raw: Json
    is_init: bool = False

    @property
    def name(self) -> str:
        return text(self.raw, "name")

    @property
    def waiting(self) -> str:
        """Why it waits; empty if it does not, or if nothing is said."""
        return text(self.raw, "state", "waiting", "reason")

    @property
    def message(self) -> str:
        """More on why it waits."""
        return text(self.raw, "state", "waiting", "message")

    @property
    def is_running(self) -> bool:
        return isinstance(dig(self.raw, "state", "running"), Mapping)

    @property
    def is_started(self) -> bool:
        """Whether it runs and has passed its startup probe."""
        started = dig(self.raw, "started")
        return self.is_running and bool(dig(self.raw, "ready") if started is None else started)

    @property
    def is_done(self) -> bool:
        """Whether an init container holds up nobody: it ended well, or serves beside the engine."""
        ended = dig(self.raw, "state", "terminated")
        return self.is_started or (isinstance(ended, Mapping) and number(ended, "exitCode") == 0)

    @property
    def end(self) -> Json | None:
        """How it ended last: `exitCode`, `reason`, `message`, `startedAt`, `finishedAt`."""
        ends = (dig(self.raw, state, "terminated") for state in ("state", "lastState"))
        return next((end for end in ends if isinstance(end, Mapping)), None)

    @property
    def ends(self) -> int:
        """How often it has ended; grows only. The kubelet counts a restart once the next life begins."""
        over = 0 if self.is_running or self.end is None else 1
        return max(number(self.raw, "restartCount"), 0) + over

    @property
    def bad_devices(self) -> str:
        """Devices given to it that do not work, as `resource id`."""
        return ", ".join(
            f"{text(resource, 'name')} {text(device, 'resourceID')}"
            for resource in listed(self.raw, "allocatedResourcesStatus")
            for device in listed(resource, "resources")
            if text(device, "health") == "Unhealthy"
        )


@dataclass(frozen=True)
class Pod:
    """One Pod: one run of an engine."""

    raw: Json

    @property
    def uid(self) -> str:
        return text(self.raw, "metadata", "uid")

    @property
    def is_engine(self) -> bool:
        """Whether it runs the engine, and does not only look after its data."""
        return text(self.raw, "metadata", "labels", ROLE) in {"", ROLE_ENGINE}

    @property
    def created_at(self) -> datetime | None:
        return moment(self.raw, "metadata", "creationTimestamp")

    @property
    def deletes_at(self) -> datetime | None:
        """By when it is to be gone; None unless somebody deleted it."""
        return moment(self.raw, "metadata", "deletionTimestamp")

    @property
    def is_deleting(self) -> bool:
        return bool(dig(self.raw, "metadata", "deletionTimestamp"))

    @property
    def is_over(self) -> bool:
        """Whether the kubelet has given it up: none of its containers runs again."""
        return text(self.raw, "status", "phase") in {"Failed", "Succeeded"}

    @cached_property
    def conditions(self) -> dict[str, Json]:
        """The conditions by their type."""
        return {text(condition, "type"): condition for condition in listed(self.raw, "status", "conditions")}

    def holds(self, condition: str) -> bool:
        return text(self.conditions.get(condition), "status") == "True"

    @property
    def scheduled_at(self) -> datetime | None:
        """When it was given its machine and its GPU; None if it has none."""
        if self.holds("PodScheduled"):
            return moment(self.conditions["PodScheduled"], "lastTransitionTime") or self._began_at
        return self._began_at if text(self.raw, "spec", "nodeName") else None

    @property
    def launched_at(self) -> datetime | None:
        """When the first of its containers that run began to."""
        lives = (moment(status, "state", "running", "startedAt") for status in listed(self.raw, "status", "containerStatuses"))
        return min((life for life in lives if life), default=None)

    @property
    def _began_at(self) -> datetime | None:
        return self.launched_at or self.created_at

    @property
    def ready_at(self) -> datetime | None:
        return moment(self.conditions["Ready"], "lastTransitionTime") if self.holds("Ready") else None

    @property
    def has_been_ready(self) -> bool:
        """Whether its Service has led to the engine's present life: it does, or did so until the Pod ceased to be ready.

        A condition that turned False after this life began was True in it; one that never was True is older than it. Both
        moments are whole seconds, and readiness takes longer than one to lapse.
        """
        if self.holds("Ready"):
            return True
        began_at = moment(self.container.raw, "state", "running", "startedAt") if self.container else None
        lapsed_at = moment(self.conditions.get("Ready"), "lastTransitionTime")
        return began_at is not None and lapsed_at is not None and lapsed_at > began_at

    @property
    def ended_at(self) -> datetime | None:
        """When its engine ended; else when it was told to; None if nobody saw either, or if it never had a GPU."""
        if self.scheduled_at is None:
            return None
        finished = moment(self.container.end, "finishedAt") if self.container and not self.container.is_running else None
        grace = timedelta(seconds=min(max(number(self.raw, "metadata", "deletionGracePeriodSeconds"), 0), 86_400))
        return finished or (self.deletes_at - grace if self.deletes_at else None)

    @cached_property
    def container(self) -> Container | None:
        """The container that decides what happens: an init container that is not done, else the engine's own."""
        for status in listed(self.raw, "status", "initContainerStatuses"):
            init = Container(status, is_init=True)
            if not init.is_done and (init.waiting or init.is_running or init.end is not None):
                return init
        statuses = [Container(status) for status in listed(self.raw, "status", "containerStatuses")]
        named = (status for status in statuses if status.name == ENGINE_CONTAINER)
        return next(named, statuses[0] if statuses else None)

    @property
    def devices(self) -> dict[str, int]:
        """What it asks for beside processor, memory and disk: GPUs, by the name of their resource."""
        asked: dict[str, int] = {}
        for container in listed(self.raw, "spec", "containers"):
            limits = dig(container, "resources", "limits")
            for resource in limits if isinstance(limits, Mapping) else ():
                if "/" in resource:
                    asked[resource] = asked.get(resource, 0) + number(limits, resource)
        return asked

    def mounts_read_only(self, claim: str) -> bool:
        """Whether a claim is one that it only reads, such as a tenant's models."""
        claims = (dig(volume, "persistentVolumeClaim") for volume in listed(self.raw, "spec", "volumes"))
        return any(text(found, "claimName") == claim and dig(found, "readOnly") is True for found in claims)


@dataclass(frozen=True)
class Event:
    """One Event; the cluster counts repetitions instead of telling them again."""

    raw: Json

    @property
    def reason(self) -> str:
        return text(self.raw, "reason")

    @property
    def message(self) -> str:
        return text(self.raw, "message")

    @property
    def count(self) -> int:
        return max(number(self.raw, "count"), number(self.raw, "series", "count"), 1)

    @property
    def first_at(self) -> datetime:
        return moment(self.raw, "firstTimestamp") or moment(self.raw, "eventTime") or _LONG_AGO

    @property
    def last_at(self) -> datetime:
        told = (moment(self.raw, "lastTimestamp"), moment(self.raw, "series", "lastObservedTime"))
        return max((at for at in told if at), default=self.first_at)


class Events:
    """What was said of one object."""

    def __init__(self, events: Iterable[Json], about: Json | None) -> None:
        uid = text(about, "metadata", "uid")
        self._events = [Event(raw) for raw in events if uid and text(raw, "involvedObject", "uid") == uid]

    def of(self, *reasons: str) -> Iterator[Event]:
        """Those with one of these reasons."""
        return (event for event in self._events if event.reason in reasons)

    def latest(self, *reasons: str) -> Event | None:
        """The one told last; of two told in the same second, the one with the later reason in the arguments."""
        return max(self.of(*reasons), key=lambda event: (event.last_at, reasons.index(event.reason), event.message), default=None)


_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
