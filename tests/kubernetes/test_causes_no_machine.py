"""Why there is no machine, as many versions and programs say it, each with what it means here."""

import pytest

from engines.clusters.base import Phase
from engines.clusters.kubernetes.observe import observe
from engines.reasons import Reason
from tests.kubernetes.objects_as_sent import (
    GPU,
    NOW,
    claim,
    event,
    judge,
    pod,
    seen,
    unplaced,
    volume,
)

R = Reason
NO_ROOM = " preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod, 2 Insufficient cpu."


SCHEDULING = [
    ("0/3 nodes are available: 3 Insufficient nvidia.com/gpu." + NO_ROOM, R.NO_CAPACITY),
    ("0/3 nodes are available: 1 Insufficient memory, 2 Insufficient aliyun.com/gpu-mem.", R.NO_CAPACITY),
    (
        "0/2 nodes are available: 1 cannot allocate all claims, 1 node(s) didn't match Pod's node affinity/selector.",
        R.NO_CAPACITY,
    ),
    ("0/3 nodes are available: 3 Insufficient cpu. no new claims to deallocate," + NO_ROOM, R.NODES_FULL),
    ("0/3 nodes are available: 1 Insufficient memory, 2 node(s) had untolerated taint {gpu: only}.", R.NODES_FULL),
    ("0/3 nodes are available: 3 Insufficient ephemeral-storage.", R.NODES_FULL),
    ("0/4 nodes are available: 4 Insufficient pods.", R.NODES_FULL),
    ("0/3 nodes are available: 3 Too many pods.", R.NODES_FULL),
    ("0/1 nodes are available: 1 node(s) exceed max volume count.", R.NODES_FULL),
    ("no nodes available to schedule pods", R.NO_NODES),
    ("0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.", R.NO_SUCH_GPU),
    ("0/3 nodes are available: 3 node(s) didn't match node selector.", R.NO_SUCH_GPU),
    (
        (
            "0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, "
            "2 node(s) didn't match Pod's node affinity/selector."
        ),
        R.NO_SUCH_GPU,
    ),
    ("0/1 nodes are available: 1 device class gpu.nvidia.com does not exist.", R.NO_SUCH_GPU),
    ("0/3 nodes are available: 3 node(s) had untolerated taint(s).", R.CLASS_MISCONFIGURED),
    ("0/3 nodes are available: 3 node(s) had untolerated taint {nvidia.com/gpu: present}.", R.CLASS_MISCONFIGURED),
    ("0/3 nodes are available: 3 node(s) had taints that the pod didn't tolerate.", R.CLASS_MISCONFIGURED),
    ("0/1 nodes are available: 1 node(s) had taint {gpu: }, that the pod didn't tolerate.", R.CLASS_MISCONFIGURED),
    ("0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.", R.NODES_CLOSED),
    (
        "0/1 nodes are available: 1 node(s) had taint {node.kubernetes.io/unreachable: }, that the pod didn't tolerate.",
        R.NODES_CLOSED,
    ),
    (
        "0/1 nodes are available: 1 node(s) had untolerated taint {node.cloudprovider.kubernetes.io/uninitialized: true}.",
        R.NODES_CLOSED,
    ),
    (
        "0/2 nodes are available: 1 node(s) were unschedulable, 1 node(s) didn't match Pod's node affinity/selector.",
        R.NODES_CLOSED,
    ),
    ("pod has unbound immediate PersistentVolumeClaims", R.VOLUME_WAITS),
    ("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims (repeated 2 times).", R.VOLUME_WAITS),
    ("0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind.", R.VOLUME_FAILED),
    ("0/1 nodes are available: 1 node(s) did not have enough free storage.", R.VOLUME_FAILED),
    (
        "0/2 nodes are available: 1 Insufficient nvidia.com/gpu, 1 node(s) didn't match PersistentVolume's node affinity.",
        R.VOLUME_ELSEWHERE,
    ),
    ("0/2 nodes are available: 1 Insufficient nvidia.com/gpu, 1 node(s) had volume node affinity conflict.", R.VOLUME_ELSEWHERE),
    ("0/2 nodes are available: 2 node(s) had no available volume zone.", R.VOLUME_ELSEWHERE),
    (
        (
            "0/1 nodes are available: 1 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode "
            "already in-use by another pod."
        ),
        R.VOLUME_IN_USE,
    ),
    (
        "0/1 nodes are available: 1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode",
        R.VOLUME_IN_USE,
    ),
    ("0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints.", R.CLUSTER_WAITS),
]


@pytest.mark.parametrize(("message", "reason"), SCHEDULING)
def test_scheduling(message, reason):
    assert judge(unplaced(message)) == (Phase.PENDING, reason)


@pytest.mark.parametrize(
    "message",
    [
        '0/1 nodes are available: persistentvolumeclaim "v-7f3k2qxbcd" not found. not found',
        'persistentvolumeclaim "v-7f3k2qxbcd" not found',
        'persistentvolumeclaim "v-7f3k2qxbcd" is being deleted',
        'persistentvolumeclaim "v-7f3k2qxbcd" bound to non-existent persistentvolume "pv-1"',
        "0/1 nodes are available: 1 node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s).",
    ],
)
def test_a_volume_that_is_gone(message):
    assert judge(unplaced(message)) == (Phase.BROKEN, R.VOLUME_MISSING)


def test_a_claim_that_is_lost_is_gone():
    assert judge(pod(), claim=claim("Lost")) == (Phase.BROKEN, R.VOLUME_MISSING)


def test_a_volume_that_the_scheduler_has_not_heard_of_yet():
    missing = unplaced('persistentvolumeclaim "v-7f3k2qxbcd" not found')
    assert judge(missing, claim=claim("Pending")) == (Phase.PENDING, R.VOLUME_WAITS)


def test_a_missing_volume_of_models_is_a_fault_of_the_configuration():
    missing = unplaced('persistentvolumeclaim "models" not found')
    missing["spec"]["volumes"].append(volume("models", read_only=True))
    assert judge(missing, claim=claim()) == (Phase.BROKEN, R.CONFIG_MISSING)


@pytest.mark.parametrize(
    ("reason", "message", "expected"),
    [
        (
            "SchedulerError",
            'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded',
            R.VOLUME_FAILED,
        ),
        ("SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates", R.HELD_BY_CLUSTER),
        ("SchedulerError", "something that no version has said yet", R.CLUSTER_WAITS),
    ],
)
def test_scheduling_that_is_held_or_fails(reason, message, expected):
    found = observe(seen(unplaced(message, reason)), now=NOW)
    assert (found.phase, found.reason, found.evidence) == (Phase.PENDING, expected, f"{reason}: {message}")


@pytest.mark.parametrize(
    ("allocatable", "expected"),
    [(None, R.NO_CAPACITY), ({GPU: 4}, R.NO_CAPACITY), ({GPU: 0}, R.NO_SUCH_GPU), ({}, R.NO_SUCH_GPU)],
)
def test_all_taken_is_told_from_never_there_where_somebody_counted(allocatable, expected):
    full = unplaced("0/1 nodes are available: 1 Insufficient nvidia.com/gpu.")
    assert judge(full, allocatable=allocatable) == (Phase.PENDING, expected)


SCALING = [
    ([("TriggeredScaleUp", "pod triggered scale-up: [{gpu-pool 0->1 (max: 5)}]", 6)], R.ADDING_NODE),
    ([("Nominated", "Pod should schedule on: nodeclaim/gpu-ljvhl", 6)], R.ADDING_NODE),
    ([("NotTriggerScaleUp", "pod didn't trigger scale-up: 1 max node group size reached", 6)], R.NO_CAPACITY),
    (
        [
            ("TriggeredScaleUp", "pod triggered scale-up: [{gpu-pool 0->1 (max: 5)}]", 6),
            ("NotTriggerScaleUp", "pod didn't trigger scale-up: 1 max node group size reached", 9),
        ],
        R.NO_CAPACITY,
    ),
]


@pytest.mark.parametrize(("told", "reason"), SCALING)
def test_autoscaling(told, reason):
    events = [event(kind, message, first=at, last=at) for kind, message, at in told]
    full = unplaced("0/3 nodes are available: 3 Insufficient nvidia.com/gpu.")
    assert judge(full, events=events) == (Phase.PENDING, reason)


PROVISIONING = [
    (["WaitForFirstConsumer"], "Pending", R.VOLUME_WAITS),
    (["WaitForPodScheduled"], "Pending", R.VOLUME_WAITS),
    (["ExternalProvisioning", "Provisioning"], "Pending", R.VOLUME_WAITS),
    (["Provisioning", "ProvisioningFailed", "Provisioning"], "Pending", R.VOLUME_FAILED),
    (["Provisioning", "ProvisioningSucceeded"], "Bound", None),
    ([], "Pending", None),
]


@pytest.mark.parametrize(("told", "phase", "reason"), PROVISIONING)
@pytest.mark.parametrize("decided", [False, True])
def test_provisioning(told, phase, reason, decided):
    events = [event(kind, f"{kind} {at}", about="claim", last=at) for at, kind in enumerate(told)]
    waits = unplaced("pod has unbound immediate PersistentVolumeClaims") if decided else pod()
    assert judge(waits, claim=claim(phase), events=events) == (Phase.PENDING, reason or (R.VOLUME_WAITS if decided else None))


REFUSED = 'create Pod i-7f3k2qxbcd-0 in StatefulSet i-7f3k2qxbcd failed error: pods "i-7f3k2qxbcd-0" is forbidden: '
REFUSALS = [
    ("exceeded quota: tenant, requested: requests.nvidia.com/gpu=1, used: …=2, limited: …=2", Phase.PENDING, R.QUOTA_EXCEEDED),
    ("failed quota: tenant: must specify limits.memory", Phase.BROKEN, R.REFUSED_BY_POLICY),
    (
        'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "engine" must set …)',
        Phase.BROKEN,
        R.REFUSED_BY_POLICY,
    ),
    ("maximum memory usage per Container is 96Gi, but limit is 400Gi", Phase.BROKEN, R.REFUSED_BY_POLICY),
    ("[minimum cpu usage per Pod is 100m, but request is 10m]", Phase.BROKEN, R.REFUSED_BY_POLICY),
    ('admission webhook "validate.kyverno.svc-fail" denied the request: no latest tags', Phase.BROKEN, R.REFUSED_BY_POLICY),
    (
        "ValidatingAdmissionPolicy 'no-latest' with binding 'all' denied request: no latest tags",
        Phase.BROKEN,
        R.REFUSED_BY_POLICY,
    ),
    ("unable to validate against any security context constraint: [provider restricted]", Phase.BROKEN, R.REFUSED_BY_POLICY),
    (
        'error looking up service account aigc-t-acme/engine: serviceaccount "engine" not found',
        Phase.BROKEN,
        R.CONFIG_MISSING,
    ),
    ('pod rejected: RuntimeClass "nvidia" not found', Phase.BROKEN, R.CLASS_MISCONFIGURED),
    ("no PriorityClass with name aigc-interactive was found", Phase.BROKEN, R.CLASS_MISCONFIGURED),
    (
        (
            'Internal error occurred: failed calling webhook "pods.kueue": failed to call webhook: Post "https://kueue:443": '
            "dial tcp 10.96.0.7:443: connect: connection refused"
        ),
        Phase.PENDING,
        R.CLUSTER_WAITS,
    ),
]


@pytest.mark.parametrize(("message", "phase", "reason"), REFUSALS)
def test_refusals_to_make_a_pod(message, phase, reason):
    refused = event("FailedCreate", REFUSED + message, about="set", count=3)
    found = observe(seen(events=[refused]), now=NOW)
    assert (found.phase, found.reason, found.run_id) == (phase, reason, "")
    assert found.evidence == f'pods "i-7f3k2qxbcd-0" is forbidden: {message}'


def test_a_first_refusal_by_a_rule_may_be_a_slip():
    refused = event("FailedCreate", REFUSED + 'violates PodSecurity "restricted:latest": …', about="set", count=2)
    assert observe(seen(events=[refused]), now=NOW).phase == Phase.PENDING
