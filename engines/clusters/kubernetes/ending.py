"""Why a run ended, or is being ended, although nobody asked. Pure."""

import signal
from collections.abc import Sequence
from datetime import timedelta

from engines.clusters.kubernetes import causes
from engines.clusters.kubernetes.objects import Container, Event, Events, Json, Pod, listed, moment, number, text
from engines.clusters.kubernetes.seen import Seen
from engines.clusters.kubernetes.wording import bounded, steady
from engines.reasons import Reason

_LINES = 20
_SIGNALS = {int(each): each.name for each in signal.Signals}
_SAYS_NOTHING = frozenset({"", "Error", "Completed"})
_FAILING_WITHIN = timedelta(minutes=10)
# Pods that are replaced for these say nothing against the engine or its machine.
_NO_FAULT = frozenset({Reason.NODE_DRAINED, Reason.NODE_LOST, Reason.PREEMPTED, Reason.NO_CAPACITY, Reason.NODES_FULL})

Cause = tuple[Reason, str]  # with the evidence


def last_end(container: Container, events: Events) -> Cause:
    """Why a container ended last."""
    end = container.end
    if end is None:
        return Reason.ENGINE_EXITED, ""
    code, kind, said = number(end, "exitCode"), text(end, "reason"), text(end, "message")
    heading, words = _heading(code, kind), "\n".join(said.splitlines()[-_LINES:])
    if container.bad_devices:
        return Reason.GPU_BROKEN, bounded(f"{heading}; unhealthy: {container.bad_devices}", words)
    if causes.NEVER_BEGAN.match(kind):
        reason = causes.judge(causes.CREATING, said).reason
        return Reason.START_REFUSED if reason == Reason.CREATE_FAILED else reason, bounded(heading, steady(words))
    by_code = causes.find(causes.ENDS, f"{kind} {code}")
    probe = _startup_probe(end, events)
    if probe and not (by_code and by_code.reason == Reason.OUT_OF_MEMORY):
        return Reason.START_TIMEOUT, bounded(f"{heading}; {steady(probe.message)}", words)
    if by_code:
        return by_code.reason, bounded(heading, words)
    return causes.judge(causes.LAST_WORDS, words if code else "").reason, bounded(heading, words)


def given_up(pod: Pod, events: Events) -> Cause:
    """Why the kubelet gave up a Pod."""
    if found := _status_cause(pod) or _disruption(pod):
        return found
    return last_end(pod.container, events) if pod.container and pod.container.end else (Reason.NODE_REFUSED, "")


def being_ended(seen: Seen, pod: Pod) -> Cause | None:
    """Why a Pod is on its way out, or cannot be reached on it; None if there is nothing but that somebody deleted it."""
    found = _status_cause(pod) or _disruption(pod)
    lost = node_lost(seen.node)
    if found and found[0] == Reason.NODE_LOST and seen.node is not None and not lost:
        return Reason.NODE_DRAINED, found[1]
    return found or ((Reason.NODE_LOST, lost) if lost else None)


def node_lost(node: Json | None) -> str:
    """Return what says that a machine does not answer; empty if nothing does."""
    for condition in listed(node, "status", "conditions"):
        if text(condition, "type") == "Ready" and text(condition, "status") == "Unknown":
            return bounded(steady(f"{text(condition, 'reason')}: {text(condition, 'message')}"))
    return next((key for taint in listed(node, "spec", "taints") if (key := text(taint, "key")) in causes.LOST_TAINTS), "")


def last_failures(seen: Seen, pods: Sequence[Pod]) -> list[Pod]:
    """Which of these Pods, by age, failed in a row since the wish to run, within minutes; the last may live still."""
    failures: list[Pod] = []
    for pod in reversed(pods):
        if _is_fault(pod) and _is_recent(seen, pod, failures):
            failures.insert(0, pod)
        elif pod is not pods[-1]:
            break
    return failures


def _is_fault(pod: Pod) -> bool:
    cause = _status_cause(pod) if pod.is_over else None
    return cause is not None and cause[0] not in _NO_FAULT


def _is_recent(seen: Seen, pod: Pod, later: Sequence[Pod]) -> bool:
    created = pod.created_at
    if created is None or seen.applied_at is None or created < seen.applied_at:
        return False
    newest = later[-1].created_at if later else created
    return newest is not None and newest - created <= _FAILING_WITHIN


def _status_cause(pod: Pod) -> Cause | None:
    reason = text(pod.raw, "status", "reason")
    if not reason:
        return None
    words = steady(f"{reason}: {text(pod.raw, 'status', 'message')}")
    return causes.judge(causes.GIVEN_UP, words).reason, bounded(words)


def _disruption(pod: Pod) -> Cause | None:
    if not pod.holds("DisruptionTarget"):
        return None
    condition = pod.conditions["DisruptionTarget"]
    words = steady(f"{text(condition, 'reason')}: {text(condition, 'message')}")
    return causes.judge(causes.DISRUPTIONS, words).reason, bounded(words)


def _heading(code: int, kind: str) -> str:
    if kind not in _SAYS_NOTHING:
        return f"exit code {code} ({kind})"
    name = _SIGNALS.get(code - 128)
    return f"exit code {code} ({name})" if name else f"exit code {code}"


def _startup_probe(end: Json | None, events: Events) -> Event | None:
    """Find the kubelet's word that it killed this life for not coming up; one event counts for all lives of a Pod."""
    began, finished = moment(end, "startedAt"), moment(end, "finishedAt")
    if began is None or finished is None:
        return None
    kills = (event for event in events.of(causes.PROBE_KILL) if causes.STARTUP_PROBE.search(event.message))
    return next((event for event in kills if event.first_at <= finished and event.last_at >= began), None)
