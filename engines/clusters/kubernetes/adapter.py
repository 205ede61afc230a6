"""The port, for engines on Kubernetes: one StatefulSet of at most one Pod per workload, one claim per volume.

Writes are compare-and-swap on the epochs that the StatefulSet carries as annotations: a patch tests what it was based on, so
that a guess from memory costs one call when it is right and one more when it is not.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Self

from engines.clusters.base import (
    ClassCapacity,
    ClusterError,
    ClusterUnavailable,
    Finding,
    GpuSpec,
    Load,
    LogChunk,
    Observation,
    Phase,
    Proposal,
    StaleEpoch,
    VolumeRef,
    VolumeUsage,
    WorkloadRef,
    WorkloadSpec,
)
from engines.clusters.kubernetes import burying, claims, device_templates, inspection, load, logs, manifests, paths, tombstones
from engines.clusters.kubernetes.config import KubernetesConfig, read_config
from engines.clusters.kubernetes.connection import connector
from engines.clusters.kubernetes.files import FileRooms
from engines.clusters.kubernetes.labels import APPLIED_AT, EPOCH, SERVICE_IP, STOPPED_EPOCH
from engines.clusters.kubernetes.looks import Looks
from engines.clusters.kubernetes.memory import Memory, Standing, standing
from engines.clusters.kubernetes.namespaces import Namespaces
from engines.clusters.kubernetes.refusals import refusals
from engines.clusters.kubernetes.rest import ApiError, Rest
from engines.clusters.kubernetes.server_version import UserNamespaces
from engines.clusters.kubernetes.tombstones import Tombstone
from engines.clusters.kubernetes.watch import Watcher
from engines.clusters.names import pod_name
from engines.files.base import Files
from engines.reasons import Reason

_TRIES = 4
_TEST_FAILED = frozenset({409, 422})


class KubernetesCluster:
    """Engines as Pods of a cluster; see the port for what each method promises."""

    def __init__(self, config: KubernetesConfig) -> None:
        """Touch nothing: the first call connects."""
        self._config = config
        self.rest = Rest(connector(config), timeout_seconds=config.request_timeout_seconds)
        self._memory = Memory()
        self._namespaces = Namespaces(self.rest, config)
        self._looks = Looks(self.rest, config)
        self._user_namespaces = UserNamespaces(self.rest)
        self._rooms = FileRooms(self.rest, config, self._namespaces)

    @classmethod
    def from_config(cls, slug: str, config: Mapping[str, Any], *, kubeconfig: str = "") -> Self:
        """Make the adapter of a cluster row; see KubernetesConfig for what `config` may hold; `kubeconfig` is a stored one."""
        return cls(replace(read_config(slug, config), kubeconfig_content=kubeconfig))

    # --- volumes ---

    def ensure_volume(self, volume: VolumeRef, *, tenant: str, size_gib: int) -> None:
        document = manifests.claim(self._config, volume, tenant, size_gib)
        with refusals():
            collection = paths.collection("persistentvolumeclaims", volume.namespace)
            self._namespaces.within(volume.namespace, tenant, lambda: self.rest.ensure(collection, document))
        self._memory.made(volume)

    def volume_exists(self, volume: VolumeRef) -> bool:
        with refusals():
            return claims.find(self.rest, volume) is not None

    def can_mount(self, volume: VolumeRef, *, pool: str) -> bool:
        with refusals():
            return claims.reaches(self.rest, volume, self._config.pools.get(pool, {}))

    def volume_usage(self, volume: VolumeRef) -> VolumeUsage:
        with refusals():
            claims.require(self.rest, volume)
        raise ClusterUnavailable("a volume is measured while its files are open")

    def open_files(self, volume: VolumeRef, *, tenant: str) -> Files:
        with refusals():
            return self._rooms.open(volume, tenant)

    def delete_volume(self, volume: VolumeRef) -> None:
        """Refused while a Pod mounts it or a StatefulSet would: the claim would only look deleted, and vanish later."""
        with refusals():
            self._rooms.close(volume)
            holders = [each["metadata"]["name"] for each in self._users(volume)]
            if holders:
                raise ClusterError(Reason.VOLUME_IN_USE, f"{volume.name} is used by {', '.join(holders)}")
            self._memory.unmade(volume)
            self.rest.delete(claims.home(volume))

    def _users(self, volume: VolumeRef) -> Iterator[dict[str, Any]]:
        for pod in self.rest.items(paths.collection("pods", volume.namespace)):
            mounted = {(each.get("persistentVolumeClaim") or {}).get("claimName") for each in pod["spec"].get("volumes") or ()}
            if volume.name in mounted:
                yield pod

    # --- apply ---

    def apply(self, spec: WorkloadSpec) -> Observation | None:
        with refusals():
            for known in self._standings(spec.ref):
                if known is None:
                    self._begin(spec)
                    return None
                if spec.epoch < known.epoch or spec.epoch <= known.stopped:
                    raise StaleEpoch(f"{spec.name}: {spec.epoch} comes after {max(known.epoch, known.stopped)}")
                if spec.epoch == known.epoch and known.replicas:
                    seen = self.observe(spec.ref)
                    if seen.phase != Phase.GONE:
                        return seen
                    self._memory.keep(spec.ref, None)  # somebody took it away behind our back
                elif self._renew(spec, known):
                    return None
        raise ClusterUnavailable(f"{spec.name} changes faster than it can be read")

    def _begin(self, spec: WorkloadSpec) -> None:
        """Create the workload. Two first epochs at the same moment may land in either order: the next look puts that right."""
        stone = tombstones.read(self._existing_claim(spec), spec.name)
        if stone is not None and spec.epoch <= stone.epoch:
            raise StaleEpoch(f"{spec.name}: {spec.epoch} comes after {stone.epoch}")
        stopped = stone.epoch if stone else 0
        wanted = self._wanted(spec, stopped=stopped)
        self._namespaces.within(spec.namespace, spec.tenant, lambda: self._apply_all(spec, wanted))

    def _wanted(self, spec: WorkloadSpec, *, stopped: int) -> dict[str, Any]:
        """Make the StatefulSet that runs the spec, unless the server would not run it as it says."""
        wanted = manifests.statefulset(self._config, spec, replicas=1, epoch=spec.epoch, stopped=stopped)
        self._user_namespaces.require_for(wanted)
        return wanted

    def _existing_claim(self, spec: WorkloadSpec) -> dict[str, Any] | None:
        """Read the claim, unless this process made it a moment ago."""
        if self._memory.just_made(spec.volume_ref):
            return None
        return claims.require(self.rest, spec.volume_ref)

    def _apply_all(self, spec: WorkloadSpec, wanted: dict[str, Any]) -> None:
        """Apply what the Pod needs, then the StatefulSet, on which the Service's address is written down.

        The Service first: by it, whatever a call leaves that came too late is found.
        """
        service = manifests.service(self._config, spec)
        address = self.rest.apply(paths.home(service), service)["spec"].get("clusterIP", "")
        if spec.gpu.dra:
            template = manifests.claim_template(spec)
            self.rest.apply(paths.home(template), template)
        wanted["metadata"]["annotations"] |= {SERVICE_IP: address, APPLIED_AT: _now()}
        self._memory.keep(spec.ref, standing(self.rest.apply(paths.home(wanted), wanted)))

    def _renew(self, spec: WorkloadSpec, known: Standing) -> bool:
        """Run a newer epoch; False if the workload is not what it was thought to be."""
        if known.replicas == 0:
            self._require_rest(spec.ref, known)
            wanted = self._wanted(spec, stopped=known.stopped)
            if known.spec_hash != standing(wanted).spec_hash:
                return self._replace(spec, wanted, known)
        return self._patch(spec.ref, known, epoch=spec.epoch, stopped=known.stopped, replicas=1)

    def _require_rest(self, workload: WorkloadRef, known: Standing) -> None:
        if not known.at_rest and self.observe(workload).phase != Phase.GONE:
            raise ClusterUnavailable(f"the previous run of {workload.name} has not ended yet")

    def _replace(self, spec: WorkloadSpec, wanted: dict[str, Any], known: Standing) -> bool:
        """Apply another template; the version says that nobody changed the workload since it was read."""
        present = self.rest.find(paths.home(wanted))
        if present is None or replace(standing(present), at_rest=known.at_rest) != known:
            return self._forget(spec.ref)
        # The version refuses what somebody changed meanwhile, the UID what somebody deleted: an apply would make it again.
        wanted["metadata"] |= {key: present["metadata"][key] for key in ("resourceVersion", "uid")}
        try:
            self._apply_all(spec, wanted)
        except ApiError as error:
            if error.status in _TEST_FAILED:
                return self._forget(spec.ref)
            raise
        device_templates.forget_former(self.rest, spec.ref, present, wanted)
        return True

    # --- stop and delete ---

    def stop(self, workload: WorkloadRef, *, epoch: int, grace_seconds: float) -> Observation | None:
        with refusals():
            for known in self._standings(workload):
                if known is None:
                    self._bury(workload, Tombstone(epoch, datetime.now(UTC)))
                    return self.observe(workload)
                self._require_not_older(workload, epoch, known)
                if known.replicas == 0 and known.stopped >= epoch:
                    self._hasten(workload, known, grace_seconds)
                    return self.observe(workload)
                if self._patch(workload, known, epoch=known.epoch, stopped=max(known.stopped, epoch), replicas=0):
                    self._hasten(workload, known, grace_seconds)
                    return None
        raise ClusterUnavailable(f"{workload.name} changes faster than it can be read")

    def delete(self, workload: WorkloadRef, *, epoch: int, grace_seconds: float) -> Observation | None:
        """The Pod ends with the grace of its own template, or sooner if less is left to it."""
        with refusals():
            for known in self._standings(workload):
                seen = self.observe(workload)
                tombstone = Tombstone(epoch, datetime.now(UTC), seen.run_id, seen.ended_at)
                if known is None:
                    self._bury(workload, tombstone)
                    device_templates.forget_leftovers(self.rest, workload)
                    self.rest.delete(paths.member("services", workload.namespace, workload.name))
                    return self.observe(workload)
                self._require_not_older(workload, epoch, known)
                self._bury(workload, tombstone)
                if self._forget_objects(workload, known, epoch):
                    self._hasten(workload, known, grace_seconds)
                    return self.observe(workload)
        raise ClusterUnavailable(f"{workload.name} changes faster than it can be read")

    def _bury(self, workload: WorkloadRef, tombstone: Tombstone) -> None:
        self._memory.unmade(VolumeRef(workload.volume, workload.namespace))  # from now on its claim has something to say
        burying.bury(self.rest, workload, tombstone)

    def _forget_objects(self, workload: WorkloadRef, known: Standing, epoch: int) -> bool:
        """Stop it first, so that an apply that is under way finds its epoch over and not merely its object gone."""
        if not self._patch(workload, known, epoch=known.epoch, stopped=max(known.stopped, epoch), replicas=0):
            return False
        if known.claims_devices:
            device_templates.forget(self.rest, workload)
        # The StatefulSet last: as long as it is there, the life cycle knows that this has to be done again.
        for resource, uid in (("services", ""), ("statefulsets", known.uid)):
            self.rest.delete(paths.member(resource, workload.namespace, workload.name), uid=uid)
        self._memory.keep(workload, None)
        return True

    def _require_not_older(self, workload: WorkloadRef, epoch: int, known: Standing) -> None:
        if epoch < known.epoch:
            raise StaleEpoch(f"{workload.name}: {known.epoch} was applied after {epoch}")

    def _hasten(self, workload: WorkloadRef, known: Standing, grace_seconds: float) -> None:
        """Leave less time than the template does, at least a second: only the kubelet may say that an engine is dead."""
        seconds = max(1, math.ceil(grace_seconds))
        if seconds >= known.grace_seconds:
            return
        pod = self.rest.find(paths.member("pods", workload.namespace, pod_name(workload.name)))
        if pod is None or pod["metadata"].get("deletionGracePeriodSeconds", seconds + 1) <= seconds:
            return
        uid = pod["metadata"]["uid"]
        self.rest.delete(paths.member("pods", workload.namespace, pod_name(workload.name)), uid=uid, grace_seconds=seconds)

    # --- one write ---

    def _standings(self, workload: WorkloadRef) -> Iterator[Standing | None]:
        """What the workload is thought to be: first from memory, then as the server answers; None if it is not there."""
        remembered = self._memory.standing(workload)
        if remembered is not None:
            yield remembered
        for _ in range(_TRIES):
            found = self.rest.find(paths.member("statefulsets", workload.namespace, workload.name))
            known = standing(found) if found is not None and "deletionTimestamp" not in found["metadata"] else None
            self._memory.keep(workload, known)
            yield known

    def _patch(self, workload: WorkloadRef, known: Standing, *, epoch: int, stopped: int, replicas: int) -> bool:
        """Change epochs and replicas if they are still what they were; False, and nothing, if they are not."""
        operations = [
            _operation("test", "/metadata/uid", known.uid),
            _operation("test", _note(EPOCH), str(known.epoch)),
            _operation("test", _note(STOPPED_EPOCH), str(known.stopped)),
            _operation("replace", _note(EPOCH), str(epoch)),
            _operation("replace", _note(STOPPED_EPOCH), str(stopped)),
            *([_operation("add", _note(APPLIED_AT), _now())] if replicas and not known.replicas else ()),
            _operation("replace", "/spec/replicas", replicas),
        ]
        try:
            answer = self.rest.patch(paths.member("statefulsets", workload.namespace, workload.name), operations)
        except ApiError as error:
            if error.status == 404 or error.status in _TEST_FAILED:
                return self._forget(workload)
            raise
        self._memory.keep(workload, standing(answer))
        return True

    def _forget(self, workload: WorkloadRef) -> bool:
        self._memory.keep(workload, None)
        return False

    # --- looking ---

    def observe(self, workload: WorkloadRef) -> Observation:
        with refusals():
            return self._memory.hear(workload, self._looks.at(workload))

    def list_workloads(self) -> list[Observation]:
        with refusals():
            return [self._memory.hear(workload, seen) for workload, seen in self._looks.at_all()]

    def watch(self) -> Iterator[Observation | None]:
        return Watcher(self.rest, self._config).run()

    def read_log(self, workload: WorkloadRef, *, cursor: str = "", tail_bytes: int = 65_536) -> LogChunk:
        with refusals():
            return logs.read(self.rest, workload.namespace, pod_name(workload.name), cursor=cursor, tail_bytes=tail_bytes)

    def load(self, workload: WorkloadRef) -> Load | None:
        with refusals():
            return load.read(self.rest, workload.namespace, pod_name(workload.name))

    def capacity(self, classes: Sequence[GpuSpec]) -> list[ClassCapacity]:
        with refusals():
            return self._looks.capacity(classes)

    def propose_classes(self) -> list[Proposal]:
        with refusals():
            return self._looks.proposals()

    def inspect(self) -> list[Finding]:
        with refusals():
            return inspection.inspect(self.rest, self._config)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _note(key: str) -> str:
    """Return the JSON pointer (RFC 6901) of an annotation."""
    return f"/metadata/annotations/{key.replace('~', '~0').replace('/', '~1')}"


def _operation(op: str, path: str, value: object) -> dict[str, Any]:
    return {"op": op, "path": path, "value": value}
