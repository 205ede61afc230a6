"""What an overlay may not do is refused when it is saved, in a sentence that names the place."""

from typing import Any

import pytest

from engines.clusters.kubernetes.overlay import patch_problem

ENGINE = {"name": "engine"}


def pod(**fields: Any) -> dict[str, Any]:
    return {"spec": fields}


def engine(**fields: Any) -> dict[str, Any]:
    return pod(containers=[ENGINE | fields])


REFUSED = [
    (pod(hostNetwork=True), "spec.hostNetwork would put the engine into the network of its node"),
    (pod(hostPID=True), "spec.hostPID would show the engine all processes of its node"),
    (pod(hostIPC=True), "spec.hostIPC would share the memory of its node's processes"),
    (pod(hostUsers=True), "spec.hostUsers would make root in the engine root of its node"),
    (pod(serviceAccountName="admin"), "spec.serviceAccountName would make the engine somebody in the cluster"),
    (pod(automountServiceAccountToken=True), "spec.automountServiceAccountToken would hand the engine a token of the cluster"),
    (pod(nodeName="n"), "spec.nodeName would pass by the scheduler; use nodeSelector"),
    (pod(volumes=[{"name": "h", "hostPath": {"path": "/"}}]),
     "spec.volumes[h].hostPath would show the engine what lies outside its tenant"),
    (pod(volumes=[{"name": "data", "emptyDir": {}}]), "spec.volumes[data] is made by the portal; choose another name"),
    (engine(securityContext={"privileged": True}),
     "spec.containers[engine].securityContext.privileged would weaken what the engine is confined by"),
    (engine(securityContext={"runAsUser": 0}),
     "spec.containers[engine].securityContext.runAsUser would weaken what the engine is confined by"),
    (engine(resources={"limits": {"nvidia.com/gpu": "2"}}),
     ("spec.containers[engine].resources.limits: nvidia.com/gpu belongs to the GPU class's own fields, "
     "by which devices are counted")),
    (engine(image="other"), "spec.containers[engine].image is the version's own"),
    (engine(env="A"), "spec.containers[engine].env must be a list"),
    ({"metadata": {"labels": {"aigc-portal.io/tenant": "x"}}}, "metadata.labels: aigc-portal.io/tenant is the portal's own"),
    ({"spec": {"$patch": "replace"}}, "spec: $patch would drop what the portal needs there"),
    (pod(nodeSelektor={}), "spec.nodeSelektor is not a field that a Pod has"),
    ("spec", "the patch must be pairs"),
]  # fmt: skip


@pytest.mark.parametrize(("patch", "problem"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_it_is_refused(patch: Any, problem: str) -> None:
    assert patch_problem(patch) == problem


@pytest.mark.parametrize(
    "patch",
    [
        {},
        None,
        pod(priorityClassName="high", nodeSelector={"zone": "a"}),
        engine(env=[{"name": "A", "value": "1"}]),
        {"metadata": {"annotations": {"example.org/a": "b"}}},
    ],
)
def test_it_is_allowed(patch: Any) -> None:
    assert patch_problem(patch) == ""
