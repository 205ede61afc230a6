"""Labels and annotations of the Pod template: what chooses a GPU becomes part of the GPU class, the rest is reported."""

from dataclasses import dataclass, field

from engines import catalog_schema as schema
from engines.adoption.findings import Decider, Fields, misfit
from engines.adoption.network import CONF_ANNOTATION, TYPE_ANNOTATION

# What ECI does with annotations: https://www.alibabacloud.com/help/en/eci/user-guide/pod-annotations-1
ECI_SPECS = "k8s.aliyun.com/eci-use-specs"
_ECI = "k8s.aliyun.com/eci-"
_ECI_SIZING = {
    ECI_SPECS,
    *(
        f"{_ECI}{name}"
        for name in (
            "gpu-driver-version",
            "instance-family",
            "instance-generation",
            "instance-type",
            "instance-cpu",
            "instance-mem",
            "compute-category",
            "cpu-option-core",
            "cpu-option-ht",
            "extra-ephemeral-storage",
            "image-cache",
            "image-snapshot-id",
            "auto-imc",
            "vswitch",
            "schedule-strategy",
            "spot-strategy",
            "spot-price-limit",
            "spot-duration",
            "spot-fallback",
            "resource-group-id",
        )
    ),
}
_GPU_OWNERS = ("alibabacloud.com/", "hami.io/", "nvidia.com/", "volcano.sh/", "scheduling.koordinator.sh/")
_VIRTUAL = {
    "alibabacloud.com/eci": {"true"},
    "alibabacloud.com/burst-resource": {"eci", "eci_only"},
    "alibabacloud.com/acs": {"true"},
}

_UNFIT: dict[str, tuple[str, Decider]] = {
    f"{_ECI}ram-role-name": ("would give the tenant's code a role in your cloud account", Decider.CLUSTER),
    f"{_ECI}security-group": ("the engine must only be reachable from the gateway: choose the group anew", Decider.CLUSTER),
    f"{_ECI}fixed-ip": ("addresses of engines are not kept", Decider.NOBODY),
    f"{_ECI}fixed-ip-retain-hour": ("addresses of engines are not kept", Decider.NOBODY),
}
_PUBLIC = ("an address in the internet would lead past the gateway's sign-in", Decider.NOBODY)


@dataclass
class Marks:
    """Labels and annotations that belong to a GPU class; `virtual` means a cloud without nodes, where nothing can be counted."""

    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    virtual: bool = False


def read_marks(labels: Fields, annotations: Fields) -> Marks:
    """Read the metadata of the Pod template."""
    marks = Marks()
    annotations.take(TYPE_ANNOTATION, CONF_ANNOTATION)
    for key, value in labels.unread():
        if key.startswith(_GPU_OWNERS) and _fits(labels, key, value, schema.LabelValue):
            marks.labels[key] = value
        elif not key.startswith(_GPU_OWNERS):
            labels.notes.note(labels.at(key), "the portal labels Pods itself")
    for key, value in annotations.unread():
        if _chooses_a_gpu(key) and _fits(annotations, key, value, schema.AnnotationValue):
            marks.annotations[key] = value
        elif not _chooses_a_gpu(key):
            text, decider = _why_not(key)
            annotations.notes.note(annotations.at(key), text, decider)
    both = marks.labels | marks.annotations
    marks.virtual = any(both.get(key) in values for key, values in _VIRTUAL.items()) or ECI_SPECS in both
    return marks


def _chooses_a_gpu(key: str) -> bool:
    return key in _ECI_SIZING or key.startswith(_GPU_OWNERS)


def _fits(fields: Fields, key: str, value: object, kind: object) -> bool:
    wrong = misfit(schema.LabelKey, key) or misfit(kind, value)
    if wrong:
        fields.notes.refuse(fields.at(key), wrong)
    return not wrong


def _why_not(key: str) -> tuple[str, Decider]:
    if "eip" in key.partition("/")[2] and key.startswith("k8s.aliyun.com/"):
        return _PUBLIC
    if key in _UNFIT:
        return _UNFIT[key]
    if key.startswith("k8s.aliyun.com/"):
        return "is not known to choose a GPU; add it to pod_annotations of the GPU class if it is needed", Decider.OPERATOR
    if key.startswith("game.kruise.io/"):
        return "OpenKruiseGame does not run the portal's engines", Decider.NOBODY
    return "annotations of other programs are not carried over", Decider.NOBODY
