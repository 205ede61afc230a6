"""One GameServerSet, which AIGC-Gateway offers as a template, as an engine with one version and a GPU class."""

from dataclasses import dataclass
from itertools import count, islice
from typing import Any

from engines.adoption.container import engine_container
from engines.adoption.documents import Source
from engines.adoption.findings import Decider, Fields, Finding, Notes, Reasons
from engines.adoption.gpu import read_gpu_class
from engines.adoption.naming import mark, slug
from engines.adoption.network import exposed_ports
from engines.adoption.storage import Storage, read_storage
from engines.adoption.version import read_version

_LISTED = 20  # instances named one by one; a set may have thousands
_MARK_COLOUR = "#5b6cff"
_TEMPLATE = "spec.gameServerTemplate"
_ORDER = (
    "version",
    "image",
    "port",
    "health_path",
    "data_mount",
    "args",
    "env",
    "startup_limit_seconds",
    "runs_as",
    "shm_mib",
    "status",
)
"""The fields of a version as the catalog's guide lists them."""
_VERSIONS = "a published version never changes, and nothing restarts an engine that runs: publish a new version instead"

_SET: Reasons = {
    "updateStrategy": (_VERSIONS, Decider.NOBODY),
    "scaleStrategy": ("every instance has a workload of its own, so there is no set to scale", Decider.NOBODY),
    "serviceQualities": ("when an idle engine is released is decided by the portal's own rules", Decider.OPERATOR),
}
_POD: Reasons = {
    "imagePullSecrets": ("credentials of registries belong to the cluster", Decider.CLUSTER),
    "serviceAccount": ("engines get no access to the Kubernetes API", Decider.CLUSTER),
    "serviceAccountName": ("engines get no access to the Kubernetes API", Decider.CLUSTER),
    "hostNetwork": ("engines do not share the network of their node", Decider.CLUSTER),
    "hostPID": ("engines do not see the processes of their node", Decider.CLUSTER),
    "hostIPC": ("engines do not share the memory of their node", Decider.CLUSTER),
    "priorityClassName": ("priorities belong to the cluster", Decider.CLUSTER),
    "terminationGracePeriodSeconds": ("how long an engine may take to end is the portal's own", Decider.NOBODY),
    "hostAliases": ("names of hosts belong to the cluster's DNS", Decider.CLUSTER),
    "dnsConfig": ("name resolution belongs to the cluster", Decider.CLUSTER),
    "dnsPolicy": ("name resolution belongs to the cluster", Decider.CLUSTER),
    "topologySpreadConstraints": ("an instance is one Pod, so there is nothing to spread", Decider.NOBODY),
}
_CONTAINER: Reasons = {
    "lifecycle": ("commands around start and end belong into the image", Decider.IMAGE),
    "workingDir": ("the image's own working directory counts", Decider.IMAGE),
    "tty": ("engines have no terminal", Decider.NOBODY),
    "stdin": ("engines have no terminal", Decider.NOBODY),
}
_USUAL_POD = {
    "restartPolicy": "Always",
    "dnsPolicy": "ClusterFirst",
    "terminationGracePeriodSeconds": 30,
    "enableServiceLinks": ...,
    "automountServiceAccountToken": False,
}
_USUAL_CONTAINER = {
    "imagePullPolicy": ...,
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
_OF_THE_SERVER = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True)
class Adopted:
    """A GameServerSet as entries of a catalog file, and what is to be said about it."""

    source: Source
    engine: dict[str, Any]
    gpu_class: dict[str, Any]
    findings: list[Finding]

    @property
    def version(self) -> dict[str, Any]:
        """Its one version."""
        return dict(self.engine["versions"][0])


def adopt(source: Source) -> tuple[Adopted | None, list[str]]:
    """Read a GameServerSet: the entries, or one line for each reason why there can be none."""
    notes = Notes()
    top = Fields(source.data, "", notes)
    top.take("apiVersion", "kind", "status")
    _metadata(top)
    spec = top.mapping("spec")
    template = spec.mapping("gameServerTemplate")
    engine, gpu_class, storage = _entries(source, spec, template)
    template.report_rest()
    spec.report_rest(_SET, defaults={"replicas": ..., "reserveGameServerIds": ...})
    top.report_rest()
    if notes.refusals:
        return None, [source.problem(each.path, each.text) for each in notes.refusals]
    asked = [str(each) for each in notes.findings if each.decider != Decider.NOBODY]
    engine["versions"][0]["notes"] = "\n".join([f"Adopted from the GameServerSet {_full_name(source)}.", *asked])
    _instances(source, spec, storage.claims)
    return Adopted(source, engine, gpu_class, notes.findings), []


def _full_name(source: Source) -> str:
    return f"{source.namespace}/{source.name}"


def _metadata(top: Fields) -> None:
    metadata = top.mapping("metadata")
    name = metadata.text("name")
    if not slug(name):
        metadata.notes.refuse(metadata.at("name"), "is required")
    metadata.text("namespace")
    metadata.take(*_OF_THE_SERVER)
    annotations = metadata.mapping("annotations")
    annotations.take(_LAST_APPLIED)
    for fields in (metadata.mapping("labels"), annotations):
        for key, _ in fields.unread():
            fields.notes.note(fields.at(key), "the catalog has no labels and annotations of its own")
    metadata.report_rest()


def _entries(source: Source, spec: Fields, template: Fields) -> tuple[dict[str, Any], dict[str, Any], Storage]:
    pod = template.mapping("spec")
    metadata = Fields(template.peek("metadata"), f"{_TEMPLATE}.metadata", Notes())
    annotations = Fields(metadata.peek("annotations"), metadata.at("annotations"), pod.notes)
    exposed = exposed_ports(spec.mapping("network"), annotations)
    container = engine_container(pod, exposed)
    if container is None:
        return {}, {}, Storage()
    storage = read_storage(template, pod, container)
    family, version = read_version(source.name, pod, container, exposed)
    version |= {"data_mount": storage.data_mount, "shm_mib": storage.shm_mib}
    gpu_class = read_gpu_class(template, pod, container)
    container.report_rest(_CONTAINER, defaults=_USUAL_CONTAINER)
    pod.report_rest(_POD, defaults=_USUAL_POD)
    engine = {
        "slug": slug(source.name),
        "name": source.name[:80],
        "summary": f"Adopted from the GameServerSet {_full_name(source)}."[:200],
        "family": family,
        "mark": {"glyph": mark(source.name), "colour": _MARK_COLOUR},
        "versions": [{key: version[key] for key in _ORDER if version.get(key)}],
    }
    return engine, gpu_class, storage


def _instances(source: Source, spec: Fields, claims: list[str]) -> None:
    """Who runs or is paused stays in the old installation; the names of their claims are what a move of data starts from."""
    replicas, ids = spec.peek("replicas"), spec.peek("reserveGameServerIds")
    reserved = [each for each in ids if isinstance(each, int)] if isinstance(ids, list) else []
    free = (number for number in count() if number not in reserved)
    many = replicas if isinstance(replicas, int) else 0
    running = list(islice(free, max(0, min(many, _LISTED))))
    for key, what, number, listed in (
        ("replicas", "running", many, running),
        ("reserveGameServerIds", "paused or deleted", len(reserved), reserved[:_LISTED]),
    ):
        if listed:
            claimed = ", ".join(f"{claim}-{source.name}-{each}" for each in listed for claim in claims) or "no claim"
            more = " and so on" if number > len(listed) else ""
            names = ", ".join(map(str, listed)) + more
            text = f"{number} {what} here and not carried over: {names}; their data is in {claimed}{more}"
            spec.notes.note(spec.at(key), text, Decider.OPERATOR)
