"""Puts Pods on nodes, and says why it cannot in the words of kube-scheduler 1.36."""

from collections import Counter, defaultdict
from decimal import Decimal

from tests.kubernetes.double.api import Api, Writer
from tests.kubernetes.double.clock import now
from tests.kubernetes.double.quantities import amount, requested
from tests.kubernetes.double.recorder import Recorder
from tests.kubernetes.double.resources import CLAIMS, NODES, PODS, PRIORITIES, STORAGE_CLASSES, VOLUMES, Document, Resource
from tests.kubernetes.double.selectors import labels_of, requirement_holds
from tests.kubernetes.double.store import Change, Key, Stored
from tests.kubernetes.double.volumes import SELECTED_NODE, claims_of
from tests.kubernetes.double.workqueue import Queue

SCHEDULER = Writer("kube-scheduler", internal=True)
COMPONENT = "default-scheduler"
NEVER = "not eligible due to preemptionPolicy=Never."
RWOP = (
    "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode already in-use by another pod"
)
Reason = tuple[str, bool]  # what is wrong with a node, and whether the end of another Pod could help


class Scheduler:
    """Looks at each Pod without a node, and again whenever something was freed or added."""

    def __init__(self, api: Api, recorder: Recorder, failures: list[Exception]) -> None:
        self.api, self.recorder = api, recorder
        self.queue = Queue(self.sync, failures)
        self.pending: set[Key] = set()
        self.bound: dict[Key, tuple[str, Counter[str]]] = {}
        self.taken: dict[str, Counter[str]] = defaultdict(Counter)

    def notice(self, resource: Resource, change: Change) -> None:
        if resource is PODS:
            self.notice_pod(change)
        elif resource in (NODES, CLAIMS, PRIORITIES):
            self.retry()

    def notice_pod(self, change: Change) -> None:
        pod, metadata = change.document, change.document["metadata"]
        key = (metadata["namespace"], metadata["name"])
        node = pod["spec"].get("nodeName")
        ended = change.type == "DELETED" or pod["status"].get("phase") in ("Failed", "Succeeded")
        if ended:
            self.pending.discard(key)
            if key in self.bound:
                held, asked = self.bound.pop(key)
                self.taken[held].subtract(asked)
                self.retry()
        elif not node:
            self.pending.add(key)
            if change.type == "ADDED":
                self.queue.add(key)
        elif key not in self.bound:
            self.pending.discard(key)
            asked = requested(pod)
            asked["pods"] = 1
            self.bound[key] = (node, asked)
            self.taken[node].update(asked)

    def retry(self) -> None:
        for key in self.pending:
            self.queue.add(key)

    def sync(self, key: Key) -> None:
        pod = self.api.store.get(PODS, *key)
        if pod is None or pod["spec"].get("nodeName") or "deletionTimestamp" in pod["metadata"]:
            return
        if pod["spec"]["schedulerName"] != COMPONENT:
            return
        if pod["spec"].get("schedulingGates"):
            self.refuse(pod, "SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates")
            return
        nodes = self.api.store.all(NODES)
        if not nodes:
            self.refuse(pod, "Unschedulable", "no nodes available to schedule pods")
        elif problem := self.volume_problem(pod):
            self.refuse(pod, "Unschedulable", f"0/{len(nodes)} nodes are available: {problem}")
        else:
            self.choose(pod, nodes)

    def choose(self, pod: Stored, nodes: list[Stored]) -> None:
        reasons = {node["metadata"]["name"]: self.reasons(pod, node) for node in nodes}
        fitting = [node for node in nodes if not reasons[node["metadata"]["name"]]]
        if not fitting:
            self.refuse(pod, "Unschedulable", told(pod, list(reasons.values())))
            return
        best = max(fitting, key=lambda node: (preference(pod, node), -sum(self.taken[node["metadata"]["name"]].values())))
        name = best["metadata"]["name"]
        waiting = [claim for claim in claims_of(pod) if not self.claim_ready(pod, claim, name)]
        if not waiting:
            self.bind(pod, name)

    def bind(self, pod: Stored, node: str) -> None:
        condition = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": now()}
        key = (pod["metadata"]["namespace"], pod["metadata"]["name"])

        def bound(old: Document) -> Document:
            # One write for both, as the binding subresource does it.
            return {**old, "spec": {**old["spec"], "nodeName": node}}

        self.api.store.put(PODS, {**bound(pod), "status": with_condition(pod["status"], condition)})
        self.recorder.normal(pod, COMPONENT, "Scheduled", f"Successfully assigned {key[0]}/{key[1]} to {node}")

    def refuse(self, pod: Stored, reason: str, message: str) -> None:
        """Write the condition, and an event unless this was said already."""
        key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        present = next((each for each in pod["status"].get("conditions", []) if each["type"] == "PodScheduled"), {})
        if present.get("message") == message:
            return
        since = present.get("lastTransitionTime") if present.get("status") == "False" else None
        condition = {
            "type": "PodScheduled",
            "observedGeneration": pod["metadata"]["generation"],
            "status": "False",
            "lastProbeTime": None,
        }
        condition |= {"lastTransitionTime": since or now(), "reason": reason, "message": message}
        if reason != "SchedulingGated":
            self.recorder.warning(pod, COMPONENT, "FailedScheduling", message)
        status = with_condition(pod["status"], condition)
        self.api.change(PODS, *key, lambda old: {**old, "status": status}, SCHEDULER, "status")

    # volumes

    def volume_problem(self, pod: Stored) -> str:
        for name in claims_of(pod):
            claim = self.api.store.get(CLAIMS, pod["metadata"]["namespace"], name)
            if claim is None:
                # Doubled at its end by the scheduler itself, as recorded.
                return f'persistentvolumeclaim "{name}" not found. not found'
            if "deletionTimestamp" in claim["metadata"]:
                return f'persistentvolumeclaim "{name}" is being deleted. not found'
            if claim["status"]["phase"] == "Pending" and not self.waits_for_consumer(claim):
                return f"pod has unbound immediate PersistentVolumeClaims. {unhelpful(pod, [[('', False)]])}"
        return ""

    def waits_for_consumer(self, claim: Stored) -> bool:
        found = self.api.store.get(STORAGE_CLASSES, "", claim["spec"].get("storageClassName") or "")
        return found is not None and found["volumeBindingMode"] == "WaitForFirstConsumer"

    def claim_ready(self, pod: Stored, name: str, node: str) -> bool:
        """Tell whether a claim is bound; else ask for its volume on this node and look again when it is."""
        key = (pod["metadata"]["namespace"], name)
        claim = self.api.get(CLAIMS, *key)
        if claim["status"]["phase"] == "Bound":
            return True
        annotations = claim["metadata"].get("annotations") or {}
        if annotations.get(SELECTED_NODE) != node:
            chosen = {**annotations, SELECTED_NODE: node}
            self.api.change(CLAIMS, *key, lambda old: {**old, "metadata": {**old["metadata"], "annotations": chosen}}, SCHEDULER)
        return False

    # nodes

    def reasons(self, pod: Stored, node: Stored) -> list[Reason]:
        """Why a node does not do: the first check that fails speaks, as plugins run in order."""
        for check in (unschedulable, untolerated, unmatched, self.insufficient, self.volume_elsewhere):
            if found := check(pod, node):
                return found
        return []

    def insufficient(self, pod: Stored, node: Stored) -> list[Reason]:
        asked, allocatable = requested(pod), node["status"].get("allocatable") or {}
        taken = self.taken[node["metadata"]["name"]]
        asked["pods"] = 1
        found = []
        for resource, wanted in sorted(asked.items()):
            most = amount(allocatable.get(resource, "0" if resource != "pods" else "110"))
            if wanted and Decimal(wanted) > most - Decimal(taken[resource]):
                words = "Too many pods" if resource == "pods" else f"Insufficient {resource}"
                found.append((words, Decimal(wanted) <= most))
        return found

    def volume_elsewhere(self, pod: Stored, node: Stored) -> list[Reason]:
        for title in claims_of(pod):
            claim = self.api.get(CLAIMS, pod["metadata"]["namespace"], title)
            volume = self.api.store.get(VOLUMES, "", claim["spec"].get("volumeName") or "")
            if not mountable(volume, node):
                return [("node(s) didn't match PersistentVolume's node affinity", False)]
            if "ReadWriteOncePod" in claim["spec"]["accessModes"] and self.mounted_elsewhere(pod, title):
                return [(RWOP, True)]
        return []

    def mounted_elsewhere(self, pod: Stored, claim: str) -> bool:
        namespace, own = pod["metadata"]["namespace"], pod["metadata"]["name"]
        others = [name for (where, name) in self.bound if where == namespace and name != own]
        found = [self.api.store.get(PODS, namespace, name) for name in others]
        return any(other is not None and claim in claims_of(other) for other in found)


def with_condition(status: Document, condition: Document) -> Document:
    kept = [each for each in status.get("conditions", []) if each["type"] != condition["type"]]
    return {**status, "conditions": [*kept, condition]}


def unschedulable(pod: Document, node: Document) -> list[Reason]:
    return [("node(s) were unschedulable", False)] if node["spec"].get("unschedulable") else []


def untolerated(pod: Document, node: Document) -> list[Reason]:
    for taint in node["spec"].get("taints") or []:
        if taint["effect"] != "PreferNoSchedule" and not any(
            tolerates(each, taint) for each in pod["spec"].get("tolerations", [])
        ):
            return [("node(s) had untolerated taint(s)", False)]
    return []


def tolerates(toleration: Document, taint: Document) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return not toleration.get("key") or toleration["key"] == taint["key"]
    return toleration.get("key") == taint["key"] and toleration.get("value", "") == taint.get("value", "")


def affinity(pod: Document) -> Document:
    return (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}


def term_holds(term: Document, node: Document) -> bool:
    fields = {"metadata.name": node["metadata"]["name"]}
    return all(requirement_holds(each, labels_of(node)) for each in term.get("matchExpressions") or []) and all(
        requirement_holds(each, fields) for each in term.get("matchFields") or []
    )


def unmatched(pod: Document, node: Document) -> list[Reason]:
    labels = labels_of(node)
    required = affinity(pod).get("requiredDuringSchedulingIgnoredDuringExecution")
    fits = all(labels.get(key) == value for key, value in (pod["spec"].get("nodeSelector") or {}).items())
    fits = fits and (required is None or any(term_holds(term, node) for term in required["nodeSelectorTerms"]))
    return [] if fits else [("node(s) didn't match Pod's node affinity/selector", False)]


def mountable(volume: Document | None, node: Document) -> bool:
    required = ((volume or {}).get("spec", {}).get("nodeAffinity") or {}).get("required")
    return required is None or any(term_holds(term, node) for term in required["nodeSelectorTerms"])


def preference(pod: Document, node: Document) -> int:
    preferred = affinity(pod).get("preferredDuringSchedulingIgnoredDuringExecution") or []
    return sum(each["weight"] for each in preferred if term_holds(each["preference"], node))


def told(pod: Document, reasons: list[list[Reason]]) -> str:
    """Count the reasons of all nodes into one sentence."""
    counts = Counter(words for node in reasons for words, _ in node)
    listed = ", ".join(sorted(f"{count} {words}" for words, count in counts.items()))
    return f"0/{len(reasons)} nodes are available: {listed}. {unhelpful(pod, reasons)}"


def unhelpful(pod: Document, reasons: list[list[Reason]]) -> str:
    if pod["spec"].get("preemptionPolicy") == "Never":
        return f"no new claims to deallocate, preemption: {NEVER}"
    hopeful = sum(all(helps for _, helps in node) for node in reasons)
    parts = [f"{hopeful} No preemption victims found for incoming pod"] * bool(hopeful)
    parts += [f"{len(reasons) - hopeful} Preemption is not helpful for scheduling"] * bool(len(reasons) - hopeful)
    return f"no new claims to deallocate, preemption: 0/{len(reasons)} nodes are available: {', '.join(parts)}."
