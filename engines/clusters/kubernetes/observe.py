"""Kubernetes objects → Observation. Pure: what was seen goes in, what it means comes out.

Seeing the same situation again gives an equal observation but for `observed_at`, however often it was tried or told meanwhile;
words that alternate, such as ErrImagePull and ImagePullBackOff, are one situation.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from engines.clusters.base import EndedRun, Observation, Phase
from engines.clusters.kubernetes import tombstones
from engines.clusters.kubernetes.ending import Cause, being_ended, given_up, last_end, last_failures, node_lost
from engines.clusters.kubernetes.labels import EPOCH
from engines.clusters.kubernetes.objects import Container, Events, Json, Pod, annotation, number, text
from engines.clusters.kubernetes.seen import Seen, Verdict
from engines.clusters.kubernetes.tombstones import Tombstone
from engines.clusters.kubernetes.waiting import being_set_up, unmade, unplaced
from engines.reasons import Reason

_HAS_ADDRESS = frozenset({Phase.STARTING, Phase.READY, Phase.STOPPING})
_IS_TRIED_AGAIN = frozenset({"", "CrashLoopBackOff", "ContainerCreating", "PodInitializing", "RunContainerError"})
_EARLIEST = datetime.min.replace(tzinfo=UTC)


def observe(seen: Seen, *, now: datetime) -> Observation:
    """Say what the objects of one workload mean. Never raises, whatever is missing from them."""
    pods = _by_age(seen.pods)
    known = _by_age([*seen.gone, *seen.pods])
    if not pods:
        return _without_pod(seen, known, now)
    pod = pods[-1]
    past = [other for other in known if other.uid != pod.uid]
    verdict = _verdict(seen, pod, past)
    return Observation(
        name=seen.name,
        phase=verdict.phase,
        observed_at=now,
        epoch=_whole(annotation(seen.stateful_set, EPOCH)),
        run_id=pod.uid,
        upstream=_upstream(seen, pod) if verdict.phase in _HAS_ADDRESS else "",
        started_at=pod.scheduled_at,
        launched_at=pod.launched_at,
        ready_at=pod.ready_at if verdict.phase == Phase.READY else None,
        reason=verdict.reason,
        evidence=verdict.evidence,
        ended_runs=_ended_runs(seen, past),
        namespace=seen.namespace,
    )


def _by_age(raws: Iterable[Json]) -> list[Pod]:
    """Engine Pods, each as given last, the newest at the end: that a StatefulSet has made it proves the end of the others."""
    pods = {pod.uid: pod for pod in map(Pod, raws) if pod.is_engine}
    return sorted(pods.values(), key=lambda pod: (pod.created_at or _EARLIEST, not pod.is_deleting))


def _without_pod(seen: Seen, past: Sequence[Pod], now: datetime) -> Observation:
    epoch = _whole(annotation(seen.stateful_set, EPOCH))
    if seen.stateful_set is not None and seen.is_wanted:
        why, runs = unmade(seen), _ended_runs(seen, past)
        return Observation(
            seen.name,
            why.phase,
            now,
            epoch=epoch,
            reason=why.reason,
            evidence=why.evidence,
            ended_runs=runs,
            namespace=seen.namespace,
        )
    stone, runs = tombstones.read(seen.claim, seen.name) or Tombstone(0), _ended_runs(seen, past)
    last = runs[-1] if runs else EndedRun(stone.run_id, ended_at=stone.ended_at)
    return Observation(
        seen.name,
        Phase.GONE,
        now,
        epoch=max(epoch, stone.epoch),
        run_id=last.run_id,
        started_at=last.started_at,
        ready_at=last.ready_at,
        ended_at=last.ended_at,
        remains=seen.stateful_set is not None and not seen.is_deleting,
        ended_runs=runs[:-1],
        namespace=seen.namespace,
    )


def _verdict(seen: Seen, pod: Pod, past: Sequence[Pod]) -> Verdict:
    if not seen.is_wanted and not _is_ahead(seen, pod):
        return _because(Phase.STOPPING, being_ended(seen, pod))
    verdict = _wanted(seen, pod)
    failures = last_failures(seen, [*past, pod]) if verdict.phase not in {Phase.READY, Phase.BROKEN} else []
    if len(failures) > seen.settings.max_restarts:
        return _because(Phase.BROKEN, given_up(failures[-1], Events(seen.events, failures[-1].raw)))
    return verdict


def _is_ahead(seen: Seen, pod: Pod) -> bool:
    """Whether a fresh Pod was heard of before the wish that made it: each kind of object comes on a stream of its own."""
    return seen.is_noticed and not seen.is_deleting and pod.scheduled_at is None


def _wanted(seen: Seen, pod: Pod) -> Verdict:
    if pod.is_deleting:
        return _because(Phase.STOPPING, being_ended(seen, pod))
    if pod.is_over:  # the StatefulSet is about to make another
        return _because(Phase.STOPPING, given_up(pod, Events(seen.events, pod.raw)))
    if pod.container and (pod.container.is_running or pod.container.ends):
        return _lived(seen, pod, pod.container)
    return unplaced(seen, pod) if pod.scheduled_at is None else being_set_up(seen, pod)


def _lived(seen: Seen, pod: Pod, container: Container) -> Verdict:
    """A container runs, or has run: the kubelet starts it again as long as it may."""
    ended = last_end(container, Events(seen.events, pod.raw)) if container.ends else None
    if container.ends > seen.settings.max_restarts:
        return _because(Phase.BROKEN, ended)  # the kubelet would go on for ever, and keep the GPU
    if not container.is_running and container.waiting not in _IS_TRIED_AGAIN:
        return being_set_up(seen, pod)
    if container.is_init:
        return _because(Phase.PENDING, ended or (Reason.PLACED, ""))
    trouble = _trouble(seen, container) if container.is_running else None
    if container.is_started and pod.has_been_ready:  # before, nobody gets to it; and a moment's lapse is no new start
        return _because(Phase.READY, trouble)
    return _because(Phase.STARTING, trouble or ended)


def _trouble(seen: Seen, container: Container) -> Cause | None:
    """What is wrong around an engine that runs as far as anybody knows."""
    if lost := node_lost(seen.node):
        return Reason.NODE_LOST, lost
    return (Reason.GPU_BROKEN, f"unhealthy: {container.bad_devices}") if container.bad_devices else None


def _because(phase: Phase, cause: Cause | None) -> Verdict:
    return Verdict(phase, *cause) if cause else Verdict(phase)


def _upstream(seen: Seen, pod: Pod) -> str:
    """Where the gateway dials: the Service, by its name or by its address."""
    settings = seen.settings
    if pod.scheduled_at is None:
        return ""
    if settings.upstream == "dns":
        namespace = seen.namespace or text(pod.raw, "metadata", "namespace")
        return f"{seen.name}.{namespace}.svc.{settings.cluster_domain}:{settings.service_port}"
    host = f"[{seen.service_ip}]" if ":" in seen.service_ip else seen.service_ip
    return f"{host}:{settings.service_port}" if host else ""


def _ended_runs(seen: Seen, past: Sequence[Pod]) -> tuple[EndedRun, ...]:
    """Lives that are over; a Pod that never had a machine had none."""
    return tuple(_ended_run(seen, pod) for pod in past if pod.scheduled_at)


def _ended_run(seen: Seen, pod: Pod) -> EndedRun:
    # How the engine of a deleted Pod went is no reason: it was told to go.
    by_itself = pod.is_over and not pod.is_deleting
    why = given_up(pod, Events(seen.events, pod.raw)) if by_itself else being_ended(replace(seen, node=None), pod)
    return EndedRun(pod.uid, pod.scheduled_at, pod.ready_at, pod.ended_at, *(why or ()))


def _whole(words: str) -> int:
    return number({"n": words}, "n")
