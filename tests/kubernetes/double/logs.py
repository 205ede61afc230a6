"""Logs of containers as a kubelet keeps them: one file for each life, each line with its moment."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.kubernetes.double.clock import parse
from tests.kubernetes.double.errors import bad_request
from tests.kubernetes.double.http import flag
from tests.kubernetes.double.resources import Document

FALLBACK_BYTES = 2048
FALLBACK_LINES = 80


class Log:
    """Takes output as it comes; a line is written when it is whole, or when the container ends."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.file = path.open("ab", buffering=0)
        self.rest = b""

    def write(self, output: bytes) -> None:
        *lines, self.rest = (self.rest + output).split(b"\n")
        if lines:
            stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z ").encode()
            self.file.write(b"".join(stamp + line + b"\n" for line in lines))

    def close(self) -> None:
        if self.rest:
            self.write(b"\n")
        self.file.close()

    def tail(self) -> str:
        """Give what FallbackToLogsOnError puts into the termination message."""
        lines = [line.partition(b" ")[2] for line in self.path.read_bytes().splitlines(keepends=True)]
        return b"".join(lines[-FALLBACK_LINES:])[-FALLBACK_BYTES:].decode(errors="replace")


def read(path: Path, query: dict[str, str]) -> bytes:
    """Answer GET …/log: since, tail, timestamps and limit, in this order."""
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    since = None
    if "sinceTime" in query:
        since = parse(query["sinceTime"])
    elif "sinceSeconds" in query:
        since = datetime.now(UTC) - timedelta(seconds=int(query["sinceSeconds"]))
    if since is not None:
        lines = [line for line in lines if parse(line.partition(b" ")[0].decode()) >= since]
    if "tailLines" in query:
        count = int(query["tailLines"])
        lines = lines[-count:] if count else []
    if not flag(query, "timestamps"):
        lines = [line.partition(b" ")[2] for line in lines]
    text = b"".join(lines)
    return text[: int(query["limitBytes"])] if "limitBytes" in query else text


def path_of(directory: Path, pod: Document, life: int) -> Path:
    return directory / pod["metadata"]["uid"] / f"{life}.log"


def pod_log(directory: Path, pod: Document, query: dict[str, str]) -> bytes:
    """Find the log that is asked for; 400 where there is none, as a kubelet says it."""
    container, name = pod["spec"]["containers"][0]["name"], pod["metadata"]["name"]
    asked = query.get("container", container)
    if asked != container:
        raise bad_request(f"container {asked} is not valid for pod {name}")
    statuses = pod["status"].get("containerStatuses")
    if not pod["spec"].get("nodeName") or not statuses:
        raise bad_request(
            f"pod {name} does not have a host assigned"
            if not pod["spec"].get("nodeName")
            else waiting_text(container, name, "ContainerCreating")
        )
    status = statuses[0]
    life = status["restartCount"]
    if flag(query, "previous"):
        waiting = "waiting" in status["state"] and status["lastState"]
        if not status["lastState"]:
            raise bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
        return read(path_of(directory, pod, life if waiting else life - 1), query)
    if "waiting" in status["state"] and not status["lastState"]:
        raise bad_request(waiting_text(container, name, status["state"]["waiting"]["reason"]))
    return read(path_of(directory, pod, life), query)


def waiting_text(container: str, pod: str, reason: str) -> str:
    told = "trying and failing to pull image" if reason in ("ErrImagePull", "ImagePullBackOff") else reason
    return f'container "{container}" in pod "{pod}" is waiting to start: {told}'
