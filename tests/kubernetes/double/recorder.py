"""Events, as components write them: the same one again raises its count, the scheduler's are of the newer form."""

import itertools

from tests.kubernetes.double.api import Api, Writer
from tests.kubernetes.double.clock import now, precise
from tests.kubernetes.double.errors import ApiError
from tests.kubernetes.double.resources import EVENTS, Document

QUIETLY = Writer("events", internal=True)


class Recorder:
    """Writes events; one that cannot be written, as its namespace is going, is lost as in a real cluster."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self._names = itertools.count(0x18EA4E560EE4DBEB, 0x10001)
        self._known: dict[tuple[str, ...], str] = {}

    def normal(self, about: Document, component: str, reason: str, message: str, **more: str) -> None:
        self.write(about, component, "Normal", reason, message, **more)

    def warning(self, about: Document, component: str, reason: str, message: str, **more: str) -> None:
        self.write(about, component, "Warning", reason, message, **more)

    def write(
        self, about: Document, component: str, kind: str, reason: str, message: str, *, host: str = "", field_path: str = ""
    ) -> None:
        """Write one; what was written before about the same object is counted."""
        metadata = about["metadata"]
        namespace = metadata.get("namespace", "default")
        known = (metadata["uid"], component, reason, message)
        name = self._known.get(known, "")
        if name and component != "default-scheduler" and self.api.store.get(EVENTS, namespace, name):
            self.api.change(EVENTS, namespace, name, counted, QUIETLY)
            return
        name = self._known[known] = f"{metadata['name']}.{next(self._names):x}"
        involved = {
            "kind": about["kind"],
            "namespace": metadata.get("namespace", ""),
            "name": metadata["name"],
            "uid": metadata["uid"],
        }
        involved |= {"apiVersion": about["apiVersion"], "resourceVersion": metadata["resourceVersion"]}
        involved |= {"fieldPath": field_path} if field_path else {}
        event: Document = {"kind": "Event", "apiVersion": "v1", "metadata": {"name": name}, "involvedObject": involved}
        event |= {"reason": reason, "message": message, "type": kind, "reportingComponent": component}
        event |= newer(reason) if component == "default-scheduler" else older(component, host)
        try:
            self.api.create(EVENTS, namespace, event, QUIETLY)
        except ApiError:
            del self._known[known]


def newer(reason: str) -> Document:
    action = "Binding" if reason == "Scheduled" else "Scheduling"
    shape = {"source": {}, "firstTimestamp": None, "lastTimestamp": None, "eventTime": precise(), "action": action}
    return shape | {"reportingInstance": "default-scheduler-vm"}


def older(component: str, host: str) -> Document:
    source = {"component": component} | ({"host": host} if host else {})
    shape = {"source": source, "firstTimestamp": now(), "lastTimestamp": now(), "count": 1, "eventTime": None}
    return shape | {"reportingInstance": host}


def counted(event: Document) -> Document:
    return {**event, "count": event["count"] + 1, "lastTimestamp": now()}
