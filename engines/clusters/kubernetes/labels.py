"""Labels and annotations of every object that the portal makes, and texts that a label may not hold. Pure."""

import hashlib
import re
from collections.abc import Mapping

from engines.clusters.base import GpuSpec, WorkloadSpec

OURS = "aigc-portal.io/"
INSTANCE = f"{OURS}instance"  # UUID
WORKLOAD = f"{OURS}workload"  # i-<slug>; what Services and StatefulSets select by
VOLUME = f"{OURS}volume"  # v-<slug>
TENANT = f"{OURS}tenant"
ENGINE = f"{OURS}engine"
ROLE = f"{OURS}role"
GPU_CLASS = f"{OURS}gpu-class"  # of Pods and device claims: the class that they hold a slot of
POOL = f"{OURS}pool"  # of a node
MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "aigc-portal"  # also the field manager of server-side apply

EPOCH = f"{OURS}epoch"
STOPPED_EPOCH = f"{OURS}stopped-epoch"
SPEC_HASH = f"{OURS}spec-hash"
APPLIED_AT = f"{OURS}applied-at"  # by the portal's clock
SERVICE_IP = f"{OURS}service-ip"  # the address of its Service
ENDED = f"{OURS}ended."  # and the workload's name: its last run, on what outlives it

ENGINE_CONTAINER = "engine"

ROLE_ENGINE = "engine"
ROLE_DATA = "data"
ROLE_FILES = "files"

_LONGEST = 63
_LEGAL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_DIGEST_LENGTH = 10


def label_value(text: str) -> str:
    """Return the text as it may stand in a label: itself if legal, else what is legal of it with a digest of the whole."""
    if not text or _LEGAL.fullmatch(text):
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_LENGTH]
    legal = re.sub(r"[^A-Za-z0-9_.-]+", "-", text)[: _LONGEST - _DIGEST_LENGTH - 1].strip("-_.")
    return f"{legal}-{digest}" if legal else digest


def tenant_labels(tenant: str) -> dict[str, str]:
    """Labels of what belongs to a whole tenant."""
    return {MANAGED_BY: MANAGER, TENANT: label_value(tenant)}


def volume_labels(volume: str, tenant: str) -> dict[str, str]:
    """Labels of a volume's claim; a volume outlives its instances, so it names none."""
    return tenant_labels(tenant) | {ROLE: ROLE_DATA, VOLUME: volume}


def workload_labels(spec: WorkloadSpec) -> dict[str, str]:
    """Labels of everything that belongs to one instance's workload."""
    engine = {ENGINE: label_value(spec.engine)} if spec.engine else {}
    return tenant_labels(spec.tenant) | engine | {INSTANCE: spec.instance_id, ROLE: ROLE_ENGINE, WORKLOAD: spec.name}


def class_label(gpu: GpuSpec) -> dict[str, str]:
    """Label of what holds a slot of a GPU class: by it the slots that are left are counted."""
    return {GPU_CLASS: label_value(gpu.gpu_class)}


def selector(spec: WorkloadSpec) -> Mapping[str, str]:
    """What selects the workload's Pod. Nothing that may change is in it: a StatefulSet's selector never does."""
    return {WORKLOAD: spec.name}
