"""The files of a volume on Kubernetes: a small Pod beside the data, made when somebody looks, gone when nobody does."""

import hashlib
import hmac
import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from engines.clusters.base import ClusterError, ClusterUnavailable, FilesOpening, VolumeRef
from engines.clusters.kubernetes import claims, manifests, paths
from engines.clusters.kubernetes.config import KubernetesConfig
from engines.clusters.kubernetes.labels import SERVICE_IP, SPEC_HASH
from engines.clusters.kubernetes.manifests.files import files_hash
from engines.clusters.kubernetes.namespaces import Namespaces
from engines.clusters.kubernetes.objects import Json, Pod, annotation, listed, text
from engines.clusters.kubernetes.rest import ApiError, Rest
from engines.clusters.names import files_name
from engines.files.client import RemoteFiles
from engines.reasons import Reason

log = logging.getLogger(__name__)
_TRUSTED_SECONDS = 5.0  # a page of thumbnails asks for the same room a hundred times
_NO_IMAGE = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError"})


class Step(StrEnum):
    """What opening a room needs next."""

    OPEN = "open"
    WAIT = "wait"
    MAKE = "make"
    REPLACE = "replace"  # by deleting it now and making another the next time


@dataclass(frozen=True)
class Decision:
    """The next step, with the Pod it is about, or the node on which the volume is mounted already."""

    step: Step
    pod: Json | None = None
    node: str = ""


def decide(volume: VolumeRef, pods: Iterable[Json], *, access_mode: str, wanted: str) -> Decision:
    """Say what to do, from the Pods of the volume's namespace; `wanted` is the hash of a Pod that this portal can use. Pure.

    ClusterError(VOLUME_IN_USE) where the engine has the volume for itself, IMAGE_PULL_FAILED for a room that cannot start.
    """
    mounting = [pod for pod in pods if _is_room(pod, volume) or (_mounts(pod, volume.name) and not Pod(pod).is_over)]
    room = next((pod for pod in mounting if _is_room(pod, volume)), None)
    holder = next((pod for pod in mounting if not _is_room(pod, volume)), None)
    if holder and access_mode == "ReadWriteOncePod":
        raise ClusterError(Reason.VOLUME_IN_USE, f"{volume.name} is mounted by {text(holder, 'metadata', 'name')}")
    if room is None:
        beside = text(holder, "spec", "nodeName") if access_mode == "ReadWriteOnce" else ""
        return Decision(Step.MAKE, node=beside)
    return Decision(_step_with(room, wanted), room)


def _step_with(room: Json, wanted: str) -> Step:
    pod = Pod(room)
    if pod.is_deleting:
        return Step.WAIT
    if pod.is_over or annotation(room, SPEC_HASH) != wanted:
        return Step.REPLACE
    if pod.holds("Ready"):
        return Step.OPEN
    placed = text(pod.conditions.get("PodScheduled"), "message")
    if "ReadWriteOncePod" in placed:
        raise ClusterError(Reason.VOLUME_IN_USE, placed)
    if pod.container and pod.container.waiting in _NO_IMAGE:
        raise ClusterError(Reason.IMAGE_PULL_FAILED, f"{pod.container.waiting}: {pod.container.message}")
    return Step.WAIT


def _is_room(pod: Json, volume: VolumeRef) -> bool:
    return text(pod, "metadata", "name") == files_name(volume.name)


def _mounts(pod: Json, claim: str) -> bool:
    return any(text(each, "persistentVolumeClaim", "claimName") == claim for each in listed(pod, "spec", "volumes"))


class FileRooms:
    """Opens rooms; any number of processes may open the same one at the same moment."""

    def __init__(self, rest: Rest, config: KubernetesConfig, namespaces: Namespaces) -> None:
        """Ask nothing yet."""
        self._rest, self._config, self._namespaces = rest, config, namespaces
        self._clients: dict[VolumeRef, tuple[str, RemoteFiles]] = {}
        self._trusted_until: dict[VolumeRef, float] = {}
        self._lock = threading.Lock()

    def open(self, volume: VolumeRef, tenant: str) -> RemoteFiles:
        """Return the way to the files, or do the next step towards it and raise FilesOpening. One call where it is open."""
        with self._lock:
            if time.monotonic() < self._trusted_until.get(volume, 0.0):
                return self._clients[volume][1]
        digest = hashlib.sha256(_token(volume).encode()).hexdigest()
        pods = self._rest.items(paths.collection("pods", volume.namespace))
        wanted = files_hash(self._config, digest)
        found = decide(volume, pods, access_mode=self._config.access_mode, wanted=wanted)
        if found.step == Step.OPEN and found.pod is not None:
            return self._client(volume, self._address(volume, found.pod))
        if found.step == Step.REPLACE:
            self._rest.delete(self._home(volume), uid=text(found.pod, "metadata", "uid"))
        if found.step == Step.MAKE:
            self._make(volume, tenant, digest, found.node)
        raise FilesOpening(f"{found.step} {files_name(volume.name)}")

    def close(self, volume: VolumeRef) -> None:
        """End the room, so that its volume can go."""
        with self._lock:
            self._trusted_until.pop(volume, None)
        self._rest.delete(self._home(volume))

    def _make(self, volume: VolumeRef, tenant: str, digest: str, node: str) -> None:
        if not self._config.files_image:
            raise ClusterError(Reason.CONFIG_MISSING, "the cluster's configuration has no “files_image”")
        claim = claims.require(self._rest, volume)
        pod = manifests.files_pod(self._config, volume, tenant, claim, token_sha256=digest, node=node)
        service = manifests.files_service(self._config, volume, tenant, claim)
        self._namespaces.within(volume.namespace, tenant, lambda: self._create(service, pod))

    def _create(self, service: dict[str, Any], pod: dict[str, Any]) -> None:
        made = self._rest.apply(paths.home(service), service)
        pod["metadata"]["annotations"][SERVICE_IP] = text(made, "spec", "clusterIP")
        self._rest.ensure(paths.collection("pods", pod["metadata"]["namespace"]), pod)  # somebody else may open it too

    def _address(self, volume: VolumeRef, pod: Json) -> str:
        host = annotation(pod, SERVICE_IP)
        if self._config.upstream == "dns" or not host:
            host = f"{files_name(volume.name)}.{volume.namespace}.svc.cluster.local"
        return f"[{host}]:{self._config.service_port}" if ":" in host else f"{host}:{self._config.service_port}"

    def _client(self, volume: VolumeRef, address: str) -> RemoteFiles:
        with self._lock:
            known, client = self._clients.get(volume, ("", None))
            if client is None or known != address:
                client = RemoteFiles(address, _token(volume))
                self._clients[volume] = (address, client)
            self._trusted_until[volume] = time.monotonic() + _TRUSTED_SECONDS
            return client

    def _home(self, volume: VolumeRef) -> str:
        return paths.member("pods", volume.namespace, files_name(volume.name))


def make_way(rest: Rest, namespace: str, claim: str) -> None:
    """End the room of a volume that an engine waits for; does nothing if there is none, or if the cluster does not let us."""
    try:
        rest.delete(paths.member("pods", namespace, files_name(claim)))
    except (ApiError, ClusterUnavailable) as error:
        log.warning("the files of %s stay open: %s", claim, error)


def _token(volume: VolumeRef) -> str:
    """Derive what this portal says to the room of a volume: every process knows it, and nothing has to be stored."""
    from django.conf import settings  # noqa: PLC0415 - the module is pure up to here

    return hmac.new(settings.SECRET_KEY.encode(), f"files:{volume.namespace}/{volume.name}".encode(), hashlib.sha256).hexdigest()
