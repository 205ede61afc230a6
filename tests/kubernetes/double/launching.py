"""From a container's manifest to a process of this machine: its port, its volumes and its environment."""

import base64
import os
import re
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.kubernetes.double.containers import Launch, Place
from tests.kubernetes.double.resources import CONFIG_MAPS, SECRETS, Document
from tests.kubernetes.double.store import Store

REPOSITORY = Path(__file__).resolve().parents[3]
PYTHONS = ("python", "python3")


class ConfigError(Exception):
    """The container refers to something that is not there."""


def reserve_port() -> Place:
    """Keep a free port for a process that needs a while until it listens, while others connect and listen all the time.

    Sockets that may share their address can be bound beside this one, and one of them can listen, as servers do; the system gives
    the port to no other, and to no outgoing connection.
    """
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    place.bind(("127.0.0.1", 0))
    return Place(int(place.getsockname()[1]), place.detach())


def environment_of(store: Store, pod: Document, container: Document) -> dict[str, str]:
    """Resolve the container's variables; ConfigError for a secret or key that is missing."""
    return {each["name"]: value_of(store, pod, each) for each in container.get("env", [])}


def value_of(store: Store, pod: Document, variable: Document) -> str:
    source = variable.get("valueFrom")
    if not source:
        return str(variable.get("value", ""))
    if "fieldRef" in source:
        return str(pod["metadata"].get(source["fieldRef"]["fieldPath"].rpartition(".")[2], ""))
    kind, reference = next(((kind, source[kind]) for kind in ("secretKeyRef", "configMapKeyRef") if kind in source), ("", {}))
    resource, word, title = (SECRETS, "secret", "Secret") if kind == "secretKeyRef" else (CONFIG_MAPS, "configmap", "ConfigMap")
    namespace = pod["metadata"]["namespace"]
    found = store.get(resource, namespace, reference.get("name", ""))
    if found is None:
        raise ConfigError(f'{word} "{reference.get("name", "")}" not found')
    try:
        return decoded(found, reference["key"])
    except KeyError as error:
        raise ConfigError(f"couldn't find key {reference['key']} in {title} {namespace}/{reference['name']}") from error


def decoded(document: Document, key: str) -> str:
    if document["kind"] == "Secret" and key not in (document.get("stringData") or {}):
        return base64.b64decode((document.get("data") or {})[key]).decode()
    return str({**(document.get("data") or {}), **(document.get("stringData") or {})}[key])


def launch(
    pod: Document, container: Document, environment: Mapping[str, str], directory_of: Callable[[Document, str], Path]
) -> Launch:
    """Put real directories in place of mount paths, and a free port in place of the container's."""
    mounts = mount_points(pod, container, directory_of)
    ports = [port["containerPort"] for port in container.get("ports", [])]
    place = reserve_port()
    # In one pass: a directory may lie below another mount's path.
    paths = "|".join(re.escape(path) for path in sorted(mounts, key=len, reverse=True))
    chosen = re.compile(rf"(?<![\w./-])({paths})(?![\w.-])")

    def placed(text: str) -> str:
        for number in ports:
            text = re.sub(rf"(?<![\w.]){number}(?![\w.])", str(place.port), text)
        return chosen.sub(lambda found: str(mounts[found[0]]), text) if mounts else text

    command = [placed(word) for word in [*container.get("command", []), *container.get("args", [])]]
    if not container.get("command"):
        command.insert(0, sys.executable)
    elif command[0] in PYTHONS:
        command[0] = sys.executable
    home = first_claim(pod, container, mounts)
    base = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONUNBUFFERED": "1",
        "HOME": str(home),
        "AIGC_DATA": str(home),
    }
    return Launch(command, base | {name: placed(value) for name, value in environment.items()}, home, place)


def mount_points(pod: Document, container: Document, directory_of: Callable[[Document, str], Path]) -> dict[str, Path]:
    # Processes share this machine's /tmp and /dev/shm, below which the very program may lie.
    volumes = {volume["name"] for volume in pod["spec"].get("volumes", []) if "emptyDir" not in volume}
    found = {}
    for mount in container.get("volumeMounts", []):
        directory = directory_of(pod, mount["name"]) if mount["name"] in volumes else None
        if directory is not None:
            directory = directory / mount.get("subPath", "")
            directory.mkdir(parents=True, exist_ok=True)
            found[mount["mountPath"].rstrip("/")] = directory
    return found


def first_claim(pod: Document, container: Document, mounts: Mapping[str, Path]) -> Path:
    """Where the engine's own data is: its first mount of a claim, else the directory of this repository."""
    claims = {volume["name"] for volume in pod["spec"].get("volumes", []) if "persistentVolumeClaim" in volume}
    for mount in container.get("volumeMounts", []):
        if mount["name"] in claims and mount["mountPath"].rstrip("/") in mounts:
            return mounts[mount["mountPath"].rstrip("/")]
    return REPOSITORY
