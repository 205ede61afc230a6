"""Why nothing runs on the machine yet, as many versions and programs say it, each with what it means here."""

import pytest

from engines.clusters.base import Phase
from engines.clusters.kubernetes.observe import observe
from engines.reasons import Reason
from tests.kubernetes.objects_as_sent import (
    NOW,
    PLACED,
    condition,
    event,
    judge,
    pod,
    seen,
    waiting,
)

R = Reason

SETTING_UP = [
    (
        "FailedAttachVolume",
        'Multi-Attach error for volume "pvc-1" Volume is already exclusively attached to one node',
        R.VOLUME_ATTACH,
    ),
    ("FailedAttachVolume", 'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) i-old-0', R.VOLUME_ATTACH),
    (
        "FailedAttachVolume",
        'AttachVolume.Attach failed for volume "pvc-1" : rpc error: code = Internal desc = …',
        R.VOLUME_ATTACH,
    ),
    (
        "FailedMount",
        "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[]: timed out waiting for the condition",
        R.VOLUME_MOUNT,
    ),
    (
        "FailedMount",
        'MountVolume.SetUp failed for volume "pvc-1" : rpc error: code = Internal desc = mount failed',
        R.VOLUME_MOUNT,
    ),
    ("FailedMapVolume", 'MapVolume.SetUpDevice failed for volume "pvc-1" : …', R.VOLUME_MOUNT),
    (
        "FailedCreatePodSandBox",
        (
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "
            '"2585244756197a04982514cc97947f5b7f702492df9776871fa3d7d3b3cba718": '
            'plugin type="aws-cni" name="aws-cni" failed (add): '
            "add cmd: failed to assign an IP address to container"
        ),
        R.NETWORK_SETUP,
    ),
    ("NetworkNotReady", "network is not ready: container runtime network not ready: NetworkReady=false", R.NETWORK_SETUP),
]


@pytest.mark.parametrize(("kind", "message", "reason"), SETTING_UP)
@pytest.mark.parametrize("said", ["ContainerCreating", "PodInitializing"])
def test_setting_up(kind, message, reason, said):
    assert judge(waiting(said), events=[event(kind, message, count=9)]) == (Phase.PENDING, reason)


@pytest.mark.parametrize(
    ("kind", "message", "reason"),
    [
        ("FailedMount", 'MountVolume.SetUp failed for volume "settings" : configmap "settings" not found', R.CONFIG_MISSING),
        ("FailedMount", 'MountVolume.SetUp failed for volume "key" : secret "key" not found', R.CONFIG_MISSING),
        ("FailedMount", 'MountVolume.SetUp failed for volume "key" : references non-existent secret key: a', R.CONFIG_MISSING),
        (
            "FailedCreatePodSandBox",
            (
                "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox runtime: "
                'no runtime for "nvidia" '
                "is configured"
            ),
            R.CLASS_MISCONFIGURED,
        ),
    ],
)
def test_setting_up_that_is_hopeless_after_three_tries(kind, message, reason):
    assert judge(waiting("ContainerCreating"), events=[event(kind, message, count=2)]) == (Phase.PENDING, reason)
    assert judge(waiting("ContainerCreating"), events=[event(kind, message, count=3)]) == (Phase.BROKEN, reason)


def test_an_attachment_that_came_about_is_no_trouble_any_more():
    events = [event("FailedAttachVolume", "Multi-Attach error for volume", last=5), event("SuccessfulAttachVolume", "…", last=60)]
    assert judge(waiting("ContainerCreating"), events=events) == (Phase.PENDING, R.PLACED)


def test_trouble_with_the_sandbox_is_over_once_it_stands():
    stands = pod(
        PLACED, condition("PodReadyToStartContainers"), container={"state": {"waiting": {"reason": "ContainerCreating"}}}
    )
    assert judge(stands, events=[event("FailedMount", "timed out waiting for the condition")]) == (Phase.PENDING, R.PLACED)


def test_a_download_lasts_until_the_engine_runs():
    events = [event("Pulling", 'Pulling image "r.example.com/comfyui:1"', last=5)]
    found = observe(seen(waiting("ContainerCreating"), events=events), now=NOW)
    assert (found.phase, found.reason, found.evidence) == (
        Phase.PENDING,
        R.IMAGE_PULLING,
        'Pulling image "r.example.com/comfyui:1"',
    )


IMAGE = "r.example.com/unknown/denied:404"
PULLS = [
    (f'failed to resolve reference "{IMAGE}": {IMAGE}: not found', R.IMAGE_NOT_FOUND),
    (
        f'rpc error: code = NotFound desc = failed to pull and unpack image "{IMAGE}": no match for platform in manifest',
        R.IMAGE_NOT_FOUND,
    ),
    ("rpc error: code = Unknown desc = reading manifest 1 in docker.io/acme/x: manifest unknown", R.IMAGE_NOT_FOUND),
    ("reading manifest 1 in quay.io/acme/x: name unknown: repository not found", R.IMAGE_NOT_FOUND),
    (
        (
            f'failed to resolve reference "{IMAGE}": pull access denied, repository does not exist or may require authorization: '
            "server message: insufficient_scope: authorization failed"
        ),
        R.IMAGE_DENIED,
    ),
    (
        f'failed to authorize: failed to fetch oauth token: unexpected status from GET request to "{IMAGE}": 401 Unauthorized',
        R.IMAGE_DENIED,
    ),
    (f'unexpected status from HEAD request to "{IMAGE}": 403 Forbidden', R.IMAGE_DENIED),
    ("Error response from daemon: Head https://r.example.com/v2/: no basic auth credentials", R.IMAGE_DENIED),
    ('dial tcp: lookup "r.example.com" on 10.96.0.10:53: no such host', R.REGISTRY_UNREACHABLE),
    ("dial tcp 203.0.113.7:443: i/o timeout", R.REGISTRY_UNREACHABLE),
    ("dial tcp 203.0.113.7:443: connect: connection refused", R.REGISTRY_UNREACHABLE),
    ("net/http: TLS handshake timeout", R.REGISTRY_UNREACHABLE),
    ("tls: failed to verify certificate: x509: certificate signed by unknown authority", R.REGISTRY_UNREACHABLE),
    ('failed to authorize: failed to fetch anonymous token: Get "https://auth.docker.io/token": EOF', R.REGISTRY_UNREACHABLE),
    ("toomanyrequests: You have reached your pull rate limit.", R.REGISTRY_UNREACHABLE),
    (f'unexpected status from HEAD request to "{IMAGE}": 503 Service Unavailable', R.REGISTRY_UNREACHABLE),
    ("failed to extract layer: write /var/lib/containerd/x: no space left on device", R.DISK_FULL),
    ("rpc error: code = Unknown desc = something new", R.IMAGE_PULL_FAILED),
]
HOPELESS = {R.IMAGE_NOT_FOUND, R.IMAGE_DENIED}


@pytest.mark.parametrize(("cause", "reason"), PULLS)
@pytest.mark.parametrize("tries", [1, 3])
def test_pulling_is_one_situation_however_it_is_told(cause, reason, tries):
    """While it tries, when it failed, while it waits, as new and old versions of the kubelet say it."""
    failed = [
        event("Failed", f'Failed to pull image "{IMAGE}": {cause}', count=tries),
        event("Failed", "Error: ErrImagePull", count=9),
    ]
    told = [
        waiting("ContainerCreating"),
        waiting("ErrImagePull", cause),
        waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}": ErrImagePull: {cause}'),
        waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}"'),
    ]
    found = {observe(seen(each, events=failed), now=NOW) for each in told}
    phase = Phase.BROKEN if tries == 3 and reason in HOPELESS else Phase.PENDING
    assert {(each.phase, each.reason, each.evidence) for each in found} == {(phase, reason, cause)}
    assert len(found) == 1


@pytest.mark.parametrize(
    ("waits", "message", "phase", "reason"),
    [
        (
            "InvalidImageName",
            'Failed to apply default image tag "Bad Image": invalid reference format',
            Phase.BROKEN,
            R.IMAGE_NOT_FOUND,
        ),
        ("ErrImageNeverPull", 'Container image "x" is not present with pull policy of Never', Phase.BROKEN, R.IMAGE_NOT_FOUND),
        ("ImageInspectError", 'Failed to inspect image "x": rpc error', Phase.PENDING, R.IMAGE_PULL_FAILED),
        (
            "RegistryUnavailable",
            "image pull failed for x because the registry is unavailable",
            Phase.PENDING,
            R.REGISTRY_UNREACHABLE,
        ),
        (
            "SignatureValidationFailed",
            "image pull failed for x because the signature validation failed",
            Phase.PENDING,
            R.REFUSED_BY_POLICY,
        ),
        (
            "ImagePullBackOff",
            'Back-off pulling image "x": SignatureValidationFailed: pull failed for x because the signature validation failed',
            Phase.PENDING,
            R.REFUSED_BY_POLICY,
        ),
    ],
)
def test_other_trouble_with_images(waits, message, phase, reason):
    assert judge(waiting(waits, message)) == (phase, reason)


CONFIG, CREATE, RUN = "CreateContainerConfigError", "CreateContainerError", "RunContainerError"
CREATING = [
    (CONFIG, 'configmap "settings" not found', R.CONFIG_MISSING, 0),
    (CONFIG, "couldn't find key token in Secret aigc-t-acme/hub", R.CONFIG_MISSING, 0),
    (CONFIG, "Couldn't find key a in ConfigMap aigc-t-acme/b", R.CONFIG_MISSING, 0),
    (CONFIG, 'container has runAsNonRoot and image will run as root (pod: "i_t(1)", container: engine)', R.ROOT_IMAGE, 0),
    (CONFIG, "container has runAsNonRoot and image has non-numeric user (app), cannot verify user is non-root", R.ROOT_IMAGE, 0),
    (CONFIG, "failed to sync secret cache: timed out waiting for the condition", R.CREATE_FAILED, None),
    (CONFIG, "services have not yet been read at least once, cannot construct envvars", R.CREATE_FAILED, None),
    (CONFIG, 'failed to prepare subPath for volumeMount "data" of container "engine"', R.VOLUME_MOUNT, None),
    (CREATE, "context deadline exceeded", R.CREATE_FAILED, None),
    (CREATE, 'failed to reserve container name "engine": name "engine" is reserved for "51d2"', R.CREATE_FAILED, None),
    (CREATE, "failed to generate container spec: no command specified", R.START_REFUSED, 3),
    (CREATE, "failed to create containerd container: something new", R.CREATE_FAILED, 3),
    (CREATE, "failed to create snapshot: write: no space left on device", R.DISK_FULL, None),
    (
        RUN,
        'runc create failed: unable to start container process: exec: "nope": executable file not found in $PATH',
        R.START_REFUSED,
        3,
    ),
    (
        RUN,
        (
            "failed to create containerd task: runc create failed: unable to start container process: "
            "error during container init: "
            "error running prestart hook #0: exit status 1, stderr: nvidia-container-cli: initialization error: nvml error: "
            "driver not loaded"
        ),
        R.GPU_BROKEN,
        3,
    ),
    (RUN, "error modifying OCI spec: failed to inject CDI devices: unresolvable CDI devices nvidia.com/gpu=0", R.GPU_BROKEN, 3),
    ("PostStartHookError", "command failed", R.CREATE_FAILED, 3),
]


@pytest.mark.parametrize(("waits", "message", "reason", "hopeless_after"), CREATING)
def test_creating(waits, message, reason, hopeless_after):
    for tries in (1, 3):
        events = [event("Failed", f"Error: {message}", count=tries)]
        hopeless = hopeless_after is not None and tries >= hopeless_after
        assert judge(waiting(waits, message), events=events) == (Phase.BROKEN if hopeless else Phase.PENDING, reason)


def test_an_unknown_reason_to_wait_keeps_its_words():
    found = observe(seen(waiting("SomethingNew", "that no version has said yet")), now=NOW)
    assert (found.phase, found.reason) == (Phase.PENDING, R.CLUSTER_WAITS)
    assert found.evidence == "SomethingNew: that no version has said yet"
