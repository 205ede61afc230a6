"""Why an engine ended, as many versions and programs say it, each with what it means here."""

import pytest

from engines.clusters.base import Phase
from engines.clusters.kubernetes.observe import observe
from engines.reasons import Reason
from tests.kubernetes.objects_as_sent import (
    GPU,
    NOW,
    PLACED,
    READY,
    condition,
    ended,
    node,
    pod,
    seen,
)

R = Reason

ENDS = [
    (1, "Error", "", R.ENGINE_EXITED, "exit code 1"),
    (0, "Completed", "CUDA out of memory", R.ENGINE_EXITED, "exit code 0\nCUDA out of memory"),
    (7, "Error", "engine up\ngoodbye\n", R.ENGINE_EXITED, "exit code 7\nengine up\ngoodbye"),
    (139, "Error", "", R.ENGINE_EXITED, "exit code 139 (SIGSEGV)"),
    (137, "Error", "", R.ENGINE_KILLED, "exit code 137 (SIGKILL)"),
    (143, "Error", "", R.ENGINE_KILLED, "exit code 143 (SIGTERM)"),
    (137, "ContainerStatusUnknown", "", R.ENGINE_KILLED, "exit code 137 (ContainerStatusUnknown)"),
    (137, "OOMKilled", "", R.OUT_OF_MEMORY, "exit code 137 (OOMKilled)"),
    (1, "OOMKilled", "", R.OUT_OF_MEMORY, "exit code 1 (OOMKilled)"),
    (1, "Error", "MemoryError", R.OUT_OF_MEMORY, "exit code 1\nMemoryError"),
    (1, "Error", "terminate called after throwing 'std::bad_alloc'", R.OUT_OF_MEMORY, None),
    (1, "Error", "OSError: [Errno 12] Cannot allocate memory", R.OUT_OF_MEMORY, None),
    (1, "Error", "RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB", R.GPU_MEMORY, None),
    (1, "Error", "torch.OutOfMemoryError: Allocation on device", R.GPU_MEMORY, None),
    (1, "Error", "torch.cuda.OutOfMemoryError: CUDA out of memory", R.GPU_MEMORY, None),
    (1, "Error", "RuntimeError: CUDA error: out of memory", R.GPU_MEMORY, None),
    (1, "Error", "RuntimeError: No CUDA GPUs are available: no CUDA-capable device is detected", R.GPU_BROKEN, None),
    (1, "Error", "RuntimeError: Found no NVIDIA driver on your system.", R.GPU_BROKEN, None),
    (1, "Error", "Failed to initialize NVML: Driver/library version mismatch", R.GPU_BROKEN, None),
    (1, "Error", "OSError: [Errno 28] No space left on device", R.DISK_FULL, None),
    (126, "Error", "", R.START_REFUSED, "exit code 126"),
    (127, "Error", "", R.START_REFUSED, "exit code 127"),
    (128, "StartError", 'exec: "nope": executable file not found in $PATH', R.START_REFUSED, None),
    (128, "StartError", "something new", R.START_REFUSED, "exit code 128 (StartError)\nsomething new"),
    (127, "ContainerCannotRun", "OCI runtime create failed", R.START_REFUSED, None),
    (128, "StartError", "nvidia-container-cli: initialization error: nvml error: driver not loaded", R.GPU_BROKEN, None),
]


@pytest.mark.parametrize(("code", "kind", "said", "reason", "evidence"), ENDS)
def test_ends_are_one_situation_until_the_engine_is_up_again(code, kind, said, reason, evidence):
    """Just ended, while the kubelet waits, and while the next life comes up."""
    end = ended(code, kind, said)
    back_off = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container"}}
    lives = [
        {"state": end},
        {"state": back_off, "lastState": end},
        {"state": {"running": {"startedAt": "x"}}, "lastState": end, "restartCount": 1},
    ]
    found = {observe(seen(pod(PLACED, container=life)), now=NOW) for life in lives}
    assert len(found) == 1
    (one,) = found
    assert (one.phase, one.reason) == (Phase.STARTING, reason)
    assert one.evidence == (evidence or f"exit code {code}{'' if kind == 'Error' else f' ({kind})'}\n{said}")


def test_devices_that_do_not_work():
    unhealthy = [
        {"name": GPU, "resources": [{"resourceID": "GPU-1", "health": "Unhealthy"}, {"resourceID": "GPU-2", "health": "Healthy"}]}
    ]
    runs = {"state": {"running": {}}, "started": True, "allocatedResourcesStatus": unhealthy}
    found = observe(seen(pod(PLACED, READY, container=runs)), now=NOW)
    assert (found.phase, found.reason, found.evidence) == (Phase.READY, R.GPU_BROKEN, "unhealthy: nvidia.com/gpu GPU-1")
    found = observe(seen(pod(PLACED, container={"state": ended(1), "allocatedResourcesStatus": unhealthy})), now=NOW)
    assert (found.reason, found.evidence) == (R.GPU_BROKEN, "exit code 1; unhealthy: nvidia.com/gpu GPU-1")


GIVEN_UP = [
    ("Evicted", "Pod ephemeral local storage usage exceeds the total limit of containers 20Mi. ", R.SCRATCH_FULL),
    ("Evicted", 'Container engine exceeded its local ephemeral storage limit "40Gi". ', R.SCRATCH_FULL),
    ("Evicted", 'Usage of EmptyDir volume "tmp" exceeds the limit "20Gi". ', R.SCRATCH_FULL),
    ("Evicted", "The node was low on resource: ephemeral-storage. Threshold quantity: 1Gi, available: 5Mi.", R.EVICTED),
    ("Evicted", "The node was low on resource: memory. Threshold quantity: 100Mi, available: 40Mi.", R.EVICTED),
    ("Evicted", "The node had condition: [DiskPressure]. ", R.EVICTED),
    ("Preempting", "Preempted in order to admit critical pod", R.PREEMPTED),
    ("Terminated", "Pod was terminated in response to imminent node shutdown.", R.NODE_DRAINED),
    ("NodeShutdown", "Pod was rejected as the node is shutting down.", R.NODE_DRAINED),
    ("NodeLost", "Node gpu-1 which was running pod i-7f3k2qxbcd-0 is unresponsive", R.NODE_LOST),
    ("OutOfcpu", "Pod was rejected: Node didn't have enough resource: cpu, requested: 4000", R.NODES_FULL),
    ("OutOfnvidia.com/gpu", "Pod was rejected: Node didn't have enough resource: nvidia.com/gpu", R.NO_CAPACITY),
    (
        "UnexpectedAdmissionError",
        (
            "Pod was rejected: Allocate failed due to no healthy devices present; "
            "cannot allocate unhealthy devices nvidia.com/gpu, "
            "which is unexpected"
        ),
        R.GPU_BROKEN,
    ),
    (
        "UnexpectedAdmissionError",
        (
            "Allocate failed due to requested number of devices unavailable for nvidia.com/gpu. Requested: 1, Available: 0, "
            "which is unexpected"
        ),
        R.GPU_BROKEN,
    ),
    (
        "UnexpectedAdmissionError",
        (
            "Pod Allocate failed due to device plugin GetPreferredAllocation rpc failed with err: rpc error: code = Unknown "
            "desc = error creating nvml.Device 5: nvml: GPU is lost, which is unexpected"
        ),
        R.GPU_BROKEN,
    ),
    (
        "UnexpectedAdmissionError",
        (
            "Allocate failed due to rpc error: code = Unknown desc = invalid request for sharing GPU (MPS), "
            "at most 1 nvidia.com/gpu "
            "can be requested, which is unexpected"
        ),
        R.CLASS_MISCONFIGURED,
    ),
    (
        "UnexpectedAdmissionError",
        (
            "Allocate failed due to rpc error: code = Unknown desc = request for 'nvidia.com/gpu: 2' too large: "
            "maximum request size for "
            "shared GPUs is 1; found 2, which is unexpected"
        ),
        R.CLASS_MISCONFIGURED,
    ),
    ("NodeAffinity", "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector", R.NODE_REFUSED),
    ("TopologyAffinityError", "Resources cannot be allocated with Topology locality", R.NODE_REFUSED),
]


@pytest.mark.parametrize(("kind", "message", "reason"), GIVEN_UP)
def test_pods_that_the_kubelet_gave_up(kind, message, reason):
    failed = pod(PLACED, container={"state": ended(137)}, status={"phase": "Failed", "reason": kind, "message": message})
    found = observe(seen(failed), now=NOW)
    assert (found.phase, found.reason, found.evidence) == (Phase.STOPPING, reason, f"{kind}: {message.strip()}")


DISRUPTIONS = [
    ("PreemptionByScheduler", "default-scheduler: preempting to accommodate a higher priority pod", None, R.PREEMPTED),
    ("EvictionByEvictionAPI", "Eviction API: evicting", None, R.NODE_DRAINED),
    ("TerminationByKubelet", "Pod was terminated in response to imminent node shutdown.", None, R.NODE_DRAINED),
    ("TerminationByKubelet", "The node was low on resource: memory.", None, R.EVICTED),
    ("DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint", None, R.NODE_LOST),
    ("DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint", "Unknown", R.NODE_LOST),
    ("DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint", "True", R.NODE_DRAINED),
    ("DeletionByDeviceTaintManager", "Device Taint manager: deleting due to NoExecute taint", None, R.GPU_BROKEN),
    ("DeletionByPodGC", "PodGC: node no longer exists", None, R.NODE_LOST),
]


@pytest.mark.parametrize(("kind", "message", "ready", "reason"), DISRUPTIONS)
def test_pods_that_the_cluster_ends(kind, message, ready, reason):
    disrupted = condition("DisruptionTarget", "True", kind, message)
    going = pod(
        PLACED, disrupted, container={"state": {"running": {}}, "started": True}, deletionTimestamp="2026-11-22T07:40:00Z"
    )
    found = observe(seen(going, node=node(ready) if ready else None), now=NOW)
    assert (found.phase, found.reason, found.evidence) == (Phase.STOPPING, reason, f"{kind}: {message}")


@pytest.mark.parametrize(
    ("machine", "evidence"),
    [
        (node("Unknown"), "NodeStatusUnknown: Kubelet stopped posting node status."),
        (node("False", "node.kubernetes.io/out-of-service"), "node.kubernetes.io/out-of-service"),
    ],
)
def test_a_machine_that_does_not_answer(machine, evidence):
    runs = {"state": {"running": {"startedAt": "2026-11-22T07:30:03Z"}}, "started": True}
    lapsed = condition("Ready", "False", at=70)
    for more, phase in (({}, Phase.READY), ({"deletionTimestamp": "2026-11-22T07:40:00Z"}, Phase.STOPPING)):
        found = observe(seen(pod(PLACED, lapsed, container=runs, **more), node=machine), now=NOW)
        assert (found.phase, found.reason, found.evidence) == (phase, R.NODE_LOST, evidence)
