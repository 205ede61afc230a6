"""What a cluster's words mean: ordered tables from what Kubernetes says to our closed vocabulary. Pure.

The words differ between versions of Kubernetes, container runtimes and registries, so rules look for tokens, in the order of the
table: the first that matches counts, and the last of a table matches anything. Sources: the scheduler's plugins, the kubelet,
the controllers of StatefulSets, volumes and Pod garbage, containerd, cluster-autoscaler, Karpenter and the NVIDIA runtime.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from engines.reasons import Reason

AT_ONCE = 0
A_FEW_TIMES = 3


@dataclass(frozen=True)
class Rule:
    """Words, what they mean, and after how many tries it is hopeless; None where waiting may help until the phase's deadline."""

    words: re.Pattern[str]
    reason: Reason
    hopeless_after: int | None = None


def _rule(words: str, reason: Reason, hopeless_after: int | None = None) -> Rule:
    return Rule(re.compile(words, re.IGNORECASE | re.DOTALL), reason, hopeless_after)


def find(rules: Sequence[Rule], words: str) -> Rule | None:
    """Return the first rule that matches; None only of a table without a rule for the rest."""
    return next((rule for rule in rules if rule.words.search(words)), None)


def judge(rules: Sequence[Rule], words: str) -> Rule:
    """Return the first rule that matches, of a table whose last rule matches anything."""
    return find(rules, words) or rules[-1]


R = Reason

# FailedCreate of a StatefulSet: there is no Pod, because the API server does not take it.
REFUSALS = (
    _rule(r"exceeded quota", R.QUOTA_EXCEEDED),
    _rule(r"failed calling webhook|timed? ?out|try again|connection refused|internal error", R.CLUSTER_WAITS),
    _rule(r"serviceaccount \S+ not found", R.CONFIG_MISSING, A_FEW_TIMES),
    _rule(r"RuntimeClass|PriorityClass", R.CLASS_MISCONFIGURED, A_FEW_TIMES),
    _rule(r"violates PodSecurity|denied|security context constraint", R.REFUSED_BY_POLICY, A_FEW_TIMES),
    _rule(r"usage per (container|pod) is|failed quota|forbidden|is invalid", R.REFUSED_BY_POLICY, A_FEW_TIMES),
    _rule(r"", R.CLUSTER_WAITS),
)

# PodScheduled=False, "reason: message". The scheduler names for every machine the first thing that keeps the Pod off it, in
# the order taints, selectors, resources, volumes: what is tested last was nearest to fitting.
SCHEDULING = (
    _rule(r"^SchedulingGated", R.HELD_BY_CLUSTER),
    _rule(r"persistentvolumeclaim \S+ (not found|is being deleted|bound to non-existent)", R.VOLUME_MISSING, AT_ONCE),
    _rule(r"bound to non-existent pv", R.VOLUME_MISSING, AT_ONCE),
    _rule(r"ReadWriteOncePod", R.VOLUME_IN_USE),
    _rule(r"binding volumes|\"VolumeBinding\"", R.VOLUME_FAILED),
    _rule(r"PersistentVolume's node affinity|volume node affinity conflict|no available volume zone", R.VOLUME_ELSEWHERE),
    _rule(r"unbound immediate PersistentVolumeClaims|waiting for .*persistentvolumeclaim", R.VOLUME_WAITS),
    _rule(r"available persistent volumes to bind|enough free storage", R.VOLUME_FAILED),
    _rule(r"device class \S+ does not exist", R.NO_SUCH_GPU),
    _rule(r"cannot allocate all claims|Insufficient [\w.-]+/", R.NO_CAPACITY),
    _rule(r"Insufficient (cpu|memory|ephemeral-storage|pods|hugepages)|Too many pods|max volume count", R.NODES_FULL),
    _rule(r"were unschedulable|unknown conditions", R.NODES_CLOSED),
    _rule(r"taint \{(node\.(cloudprovider\.)?kubernetes\.io/|karpenter\.sh/|ToBeDeletedBy)", R.NODES_CLOSED),
    _rule(r"didn't match (Pod's node affinity|node selector|scheduler-enforced)", R.NO_SUCH_GPU),
    _rule(r"\btaints?\b", R.CLASS_MISCONFIGURED),
    _rule(r"no nodes available", R.NO_NODES),
    _rule(r"", R.CLUSTER_WAITS),
)

# The autoscalers' events, in the order that counts when two were told in the same second.
SCALE_UP = ("TriggeredScaleUp", "Nominated")
NO_SCALE_UP = ("NotTriggerScaleUp", "FailedScaleUp")

# Events of a claim that is not bound yet.
PROVISIONING = ("WaitForFirstConsumer", "WaitForPodScheduled", "ExternalProvisioning", "Provisioning", "ProvisioningSucceeded")
NOT_PROVISIONED = "ProvisioningFailed"

# Events of a Pod on its machine before its first container, "reason: message"; an attached volume revokes a failed attachment.
NOT_ATTACHED, ATTACHED = "FailedAttachVolume", "SuccessfulAttachVolume"
NOT_SET_UP = ("FailedMount", "FailedMapVolume", "FailedCreatePodSandBox", "NetworkNotReady")
SETTING_UP = (
    _rule(r"(secret|configmap) \S+ not found|references non-existent (secret|config)", R.CONFIG_MISSING, A_FEW_TIMES),
    _rule(r"^FailedAttachVolume", R.VOLUME_ATTACH),
    _rule(r"^Failed(Mount|MapVolume)", R.VOLUME_MOUNT),
    _rule(r"no runtime for|RuntimeHandler|runtime handler", R.CLASS_MISCONFIGURED, A_FEW_TIMES),
    _rule(r"", R.NETWORK_SETUP),
)

# Waiting for an image, "reason: message" without the kubelet's own two words for it.
PULL_WAITS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
PULLING = (
    _rule(r"^(InvalidImageName|ErrImageNeverPull)", R.IMAGE_NOT_FOUND, AT_ONCE),
    _rule(r"signature ?validation ?failed", R.REFUSED_BY_POLICY, A_FEW_TIMES),
    _rule(r"no space left on device", R.DISK_FULL),
    _rule(r"registry ?(is )?unavailable|no such host|server misbehaving|no route to host|unreachable", R.REGISTRY_UNREACHABLE),
    _rule(r"timeout|deadline exceeded|connection (refused|reset)|\bEOF\b|x509|certificate", R.REGISTRY_UNREACHABLE),
    _rule(r"toomanyrequests|: 429 |: 5\d\d [a-z]", R.REGISTRY_UNREACHABLE),
    _rule(r"denied|insufficient_scope|unauthorized|authentication|credentials|failed to authorize", R.IMAGE_DENIED, A_FEW_TIMES),
    _rule(r": 40[13] [a-z]", R.IMAGE_DENIED, A_FEW_TIMES),
    _rule(r"not ?found|(manifest|name)[ _]unknown|no match(ing manifest)? for|does not exist", R.IMAGE_NOT_FOUND, A_FEW_TIMES),
    _rule(r"", R.IMAGE_PULL_FAILED),
)

# Waiting for the container itself, "reason: message".
CREATE_WAITS = frozenset(
    {
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "PreCreateHookError",
        "PreStartHookError",
        "PostStartHookError",
    }
)
CREATING = (
    _rule(r"runAsNonRoot", R.ROOT_IMAGE, AT_ONCE),
    _rule(r"failed to sync|not yet been read|timed out|deadline exceeded|is reserved for", R.CREATE_FAILED),
    _rule(r"(secret|configmap) \S+ not found|couldn't find key|non-existent (secret|config) key", R.CONFIG_MISSING, AT_ONCE),
    _rule(r"subPath", R.VOLUME_MOUNT),
    _rule(r"nvidia-container|nvml|CDI device|device driver", R.GPU_BROKEN, A_FEW_TIMES),
    _rule(r"no space left on device", R.DISK_FULL),
    _rule(r"executable file not found|no command specified|exec format|start container process", R.START_REFUSED, A_FEW_TIMES),
    _rule(r"", R.CREATE_FAILED, A_FEW_TIMES),
)

# The end of a container, "reason exit-code"; what it said last decides where the exit code says nothing.
PROBE_KILL = "Killing"
STARTUP_PROBE = re.compile(r"failed startup probe")
NEVER_BEGAN = re.compile(r"^(StartError|ContainerCannotRun|RunContainerError)\b")
ENDS = (
    _rule(r"^OOMKilled", R.OUT_OF_MEMORY),
    _rule(r" (137|143)$", R.ENGINE_KILLED),
    _rule(r" (126|127)$", R.START_REFUSED),
)
LAST_WORDS = (
    _rule(r"(CUDA|HIP|XPU) (error: )?out of memory|torch\.(cuda\.)?OutOfMemoryError|CUDA_ERROR_OUT_OF_MEMORY", R.GPU_MEMORY),
    _rule(r"no CUDA-capable device|device\(s\) is/are busy|no NVIDIA driver|driver version is insufficient", R.GPU_BROKEN),
    _rule(r"library version mismatch|uncorrectable ECC|GPU is lost|fallen off the bus", R.GPU_BROKEN),
    _rule(r"\bMemoryError|std::bad_alloc|(cannot|can't) allocate memory", R.OUT_OF_MEMORY),
    _rule(r"no space left on device|disk quota exceeded", R.DISK_FULL),
    _rule(r"", R.ENGINE_EXITED),
)

# A Pod that the kubelet gave up, "reason: message" of its status.
GIVEN_UP = (
    _rule(r"^Evicted.*(ephemeral local storage|EmptyDir volume|local ephemeral storage)", R.SCRATCH_FULL),
    _rule(r"^Evicted", R.EVICTED),
    _rule(r"^Preempt", R.PREEMPTED),
    _rule(r"shutdown|shutting down|^Terminated", R.NODE_DRAINED),
    _rule(r"^NodeLost", R.NODE_LOST),
    _rule(r"^OutOf\S*/", R.NO_CAPACITY),
    _rule(r"^OutOf", R.NODES_FULL),
    _rule(r"sharing GPU|shared GPUs", R.CLASS_MISCONFIGURED),
    _rule(r"unhealthy devices|devices unavailable|GPU is lost|nvml|NVLink|GetPreferredAllocation", R.GPU_BROKEN),
    _rule(r"", R.NODE_REFUSED),
)

# Condition DisruptionTarget, "reason: message": the cluster itself ends a healthy Pod.
DISRUPTIONS = (
    _rule(r"^PreemptionByScheduler", R.PREEMPTED),
    _rule(r"^DeletionByDeviceTaintManager", R.GPU_BROKEN),
    _rule(r"^DeletionBy(TaintManager|PodGC)", R.NODE_LOST),
    _rule(r"^EvictionByEvictionAPI|shutdown|shutting down", R.NODE_DRAINED),
    _rule(r"", R.EVICTED),
)

LOST_TAINTS = frozenset({"node.kubernetes.io/unreachable", "node.kubernetes.io/out-of-service"})

TABLES = (REFUSALS, SCHEDULING, SETTING_UP, PULLING, CREATING, ENDS, LAST_WORDS, GIVEN_UP, DISRUPTIONS)
REASONS = frozenset(rule.reason for table in TABLES for rule in table) | {
    R.ADDING_NODE,
    R.IMAGE_PULLING,
    R.PLACED,
    R.START_TIMEOUT,
}
"""Every reason that an observation of a Kubernetes cluster may give."""

EVENTS = frozenset(
    {*SCALE_UP, *NO_SCALE_UP, *PROVISIONING, NOT_PROVISIONED, NOT_ATTACHED, ATTACHED, *NOT_SET_UP, PROBE_KILL}
    | {"FailedCreate", "SuccessfulCreate", "Pulling", "Failed"}
)
"""The reasons of the events that matter; all others may be thrown away unread."""
