"""Why an engine is not up yet: no Pod, no machine, or still being set up on one. Pure."""

import re

from engines.clusters.base import Phase
from engines.clusters.kubernetes import causes
from engines.clusters.kubernetes.causes import Rule
from engines.clusters.kubernetes.objects import Event, Events, Pod, text
from engines.clusters.kubernetes.seen import Seen, Verdict
from engines.clusters.kubernetes.wording import bounded, steady, without_names, without_preemption
from engines.reasons import NO_MACHINE_FITS, Reason

_FAILED_CREATE = re.compile(r"^create Pod \S+ in StatefulSet \S+ failed error: ", re.IGNORECASE)
_MISSING_CLAIM = re.compile(r'persistentvolumeclaim "?([\w.-]+)"? not found')
_BACK_OFF = re.compile(r'^Back-off pulling image "[^"]*"(?:: (\w+))?(?:: |$)')
_FAILED_PULL = re.compile(r'^Failed to pull image "[^"]*": ')
_PULL_AGAIN = frozenset({"", "ErrImagePull", "ImagePullBackOff"})
_NOTHING_ODD = frozenset({"", "ContainerCreating", "PodInitializing"})


def unmade(seen: Seen) -> Verdict:
    """Why there is no Pod although there should be one."""
    events = Events(seen.events, seen.stateful_set)
    failed, made = events.latest("FailedCreate"), events.latest("SuccessfulCreate")
    if failed is None or not seen.is_noticed or (made and made.last_at >= failed.last_at):
        return Verdict(Phase.PENDING)
    if seen.applied_at and failed.last_at < seen.applied_at:
        return Verdict(Phase.PENDING)  # told of an earlier wish
    words = steady(_FAILED_CREATE.sub("", failed.message))
    return _wait(causes.judge(causes.REFUSALS, words), words, tries=failed.count)


def unplaced(seen: Seen, pod: Pod) -> Verdict:
    """Why a Pod has no machine."""
    decision = pod.conditions.get("PodScheduled")
    if text(decision, "status") != "False":
        return _claim_verdict(seen) or Verdict(Phase.PENDING)
    words = steady(without_preemption(f"{text(decision, 'reason')}: {text(decision, 'message')}"))
    rule = causes.judge(causes.SCHEDULING, words)
    verdict = _wait(rule, words.removeprefix("Unschedulable: "))
    if rule.reason == Reason.VOLUME_MISSING:
        return _missing_claim(seen, pod, verdict)
    if rule.reason in {Reason.VOLUME_WAITS, Reason.VOLUME_FAILED}:
        return _claim_verdict(seen) or verdict
    if rule.reason in NO_MACHINE_FITS:
        return _scale_up(seen, pod) or _never_there(seen, pod, verdict)
    return verdict


def being_set_up(seen: Seen, pod: Pod) -> Verdict:
    """Why nothing runs yet although there is a machine."""
    events = Events(seen.events, pod.raw)
    waiting = pod.container.waiting if pod.container else ""
    message = pod.container.message if pod.container else ""
    if waiting in causes.PULL_WAITS:
        return _pull(waiting, message, events)
    if waiting in causes.CREATE_WAITS:
        return _create(f"{waiting}: {message}", events)
    if waiting not in _NOTHING_ODD:
        return Verdict(Phase.PENDING, Reason.CLUSTER_WAITS, bounded(steady(f"{waiting}: {message}")))
    return _told_meanwhile(pod, events)


def _wait(rule: Rule, words: str, *, tries: int = 1) -> Verdict:
    hopeless = rule.hopeless_after is not None and tries >= rule.hopeless_after
    return Verdict(Phase.BROKEN if hopeless else Phase.PENDING, rule.reason, bounded(words))


def _missing_claim(seen: Seen, pod: Pod, verdict: Verdict) -> Verdict:
    """Tell the engine's own volume from one that it only reads, and from one that the scheduler has not heard of yet."""
    missing = _MISSING_CLAIM.search(verdict.evidence)
    if missing and pod.mounts_read_only(missing[1]):
        return Verdict(Phase.BROKEN, Reason.CONFIG_MISSING, verdict.evidence)
    if missing and text(seen.claim, "metadata", "name") == missing[1]:
        return Verdict(Phase.PENDING, Reason.VOLUME_WAITS, verdict.evidence)
    return verdict


def _claim_verdict(seen: Seen) -> Verdict | None:
    """What the claim's own state says."""
    phase = text(seen.claim, "status", "phase")
    if phase == "Lost":
        return Verdict(Phase.BROKEN, Reason.VOLUME_MISSING, f"claim {text(seen.claim, 'metadata', 'name')} is {phase}")
    events = Events(seen.events, seen.claim)
    failed = events.latest(causes.NOT_PROVISIONED)
    told = failed or events.latest(*causes.PROVISIONING)
    if phase != "Pending" or told is None:
        return None
    return Verdict(Phase.PENDING, Reason.VOLUME_FAILED if failed else Reason.VOLUME_WAITS, bounded(steady(told.message)))


def _scale_up(seen: Seen, pod: Pod) -> Verdict | None:
    told = Events(seen.events, pod.raw).latest(*causes.NO_SCALE_UP, *causes.SCALE_UP)
    if told is None or told.reason not in causes.SCALE_UP:
        return None
    return Verdict(Phase.PENDING, Reason.ADDING_NODE, bounded(steady(told.message)))


def _never_there(seen: Seen, pod: Pod, verdict: Verdict) -> Verdict:
    """The scheduler says "insufficient" both when all GPUs are taken and when no machine ever had one."""
    if seen.allocatable is None or verdict.reason not in {Reason.NO_CAPACITY, Reason.NODES_CLOSED}:
        return verdict
    if all(seen.allocatable.get(resource, 0) >= count for resource, count in pod.devices.items()):
        return verdict
    return Verdict(verdict.phase, Reason.NO_SUCH_GPU, verdict.evidence)


def _pull(waiting: str, message: str, events: Events) -> Verdict:
    """Say why the image is not there; the kubelet tells the cause with each try, and in between only that it waits."""
    failures = [event for event in events.of("Failed") if _FAILED_PULL.match(event.message)]
    back_off = _BACK_OFF.match(message)
    kind = (back_off[1] or "") if back_off else waiting
    cause = message[back_off.end() :] if back_off else message
    if not cause and failures:
        cause = _FAILED_PULL.sub("", max(failures, key=_told_last).message)
    words = steady(cause if kind in _PULL_AGAIN else f"{kind}: {cause}")
    return _wait(causes.judge(causes.PULLING, without_names(words)), words, tries=sum(event.count for event in failures))


def _told_last(event: Event) -> tuple[object, str]:
    return event.last_at, event.message


def _create(words: str, events: Events) -> Verdict:
    tries = sum(event.count for event in events.of("Failed") if event.message.startswith("Error: "))
    words = steady(words)
    return _wait(causes.judge(causes.CREATING, words), words, tries=tries)


def _told_meanwhile(pod: Pod, events: Events) -> Verdict:
    """Read the events while the Pod itself says nothing. An image that was being pulled is said to be until the engine runs."""
    if any(_FAILED_PULL.match(event.message) for event in events.of("Failed")):
        return _pull("", "", events)
    if pulling := events.latest("Pulling"):
        return Verdict(Phase.PENDING, Reason.IMAGE_PULLING, bounded(pulling.message))
    trouble = None if pod.holds("PodReadyToStartContainers") else _trouble(events)
    if trouble is None:
        return Verdict(Phase.PENDING, Reason.PLACED)
    words = steady(f"{trouble.reason}: {steady(trouble.message)}")
    return _wait(causes.judge(causes.SETTING_UP, words), words, tries=trouble.count)


def _trouble(events: Events) -> Event | None:
    """What keeps the machine from setting up the Pod: the attachment first, for a mount can only wait for it."""
    attachment = events.latest(causes.NOT_ATTACHED, causes.ATTACHED)
    if attachment and attachment.reason == causes.NOT_ATTACHED:
        return attachment
    return events.latest(*causes.NOT_SET_UP)
