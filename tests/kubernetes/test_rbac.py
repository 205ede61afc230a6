"""The rights in the manifest are those that the portal uses: the whole story runs under them, and under no fewer."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from engines.clusters.base import ClusterError, FilesOpening, GpuSpec, Phase, WorkloadSpec
from engines.clusters.kubernetes.adapter import KubernetesCluster
from engines.reasons import Reason
from tests.contract.workloads import stop, wait_for, wait_phase
from tests.kubernetes.double import KubernetesDouble
from tests.kubernetes.double.server import Call

MANIFEST = Path(__file__).parents[2] / "deploy/kubernetes/rbac.yaml"
CONFIG = {
    "upstream": "cluster-ip",
    "files_image": "portal:1",
    "quota": {"pods": "20"},
    "limits": {"Container": {"max": {"memory": "512Gi"}}},
}
DRA = {"first_available": [{"name": "any", "device_class": "gpu.nvidia.com", "count": 1, "cel": []}]}

Right = tuple[str, str, str]  # API group, resource with its subresource, verb


def documents() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(MANIFEST.read_text()))


def rules_of(role: str) -> list[dict[str, Any]]:
    return next(each["rules"] for each in documents() if (each["kind"], each["metadata"]["name"]) == ("ClusterRole", role))


def rights(rules: list[dict[str, Any]]) -> list[Right]:
    return [
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]


def as_rules(granted: set[Right]) -> list[dict[str, Any]]:
    return [{"apiGroups": [group], "resources": [resource], "verbs": [verb]} for group, resource, verb in sorted(granted)]


PORTAL = rights(rules_of("aigc-portal"))

ONLY_OF_THE_CONNECTION_TEST = {
    ("", "namespaces", "list"),
    ("storage.k8s.io", "storageclasses", "list"),
    ("authorization.k8s.io", "selfsubjectaccessreviews", "create"),
}


# --- what is written ---


def test_no_right_is_written_twice() -> None:
    assert sorted(PORTAL) == sorted(set(PORTAL))


@pytest.mark.parametrize("rule", [rule for each in documents() for rule in each.get("rules", ())], ids=str)
def test_no_rule_is_wide_or_reaches_into_containers_and_secrets(rule: dict[str, Any]) -> None:
    assert set(rule) == {"apiGroups", "resources", "verbs"}
    assert "*" not in (*rule["apiGroups"], *rule["resources"], *rule["verbs"])
    forbidden = {"secrets", "pods/exec", "pods/attach", "pods/portforward", "nodes/proxy", "services/proxy", "pods/proxy",
                 "serviceaccounts/token", "pods/ephemeralcontainers"}  # fmt: skip
    assert forbidden.isdisjoint(rule["resources"])
    assert {"rbac.authorization.k8s.io", "admissionregistration.k8s.io", "certificates.k8s.io"}.isdisjoint(rule["apiGroups"])
    assert {"impersonate", "escalate", "bind", "deletecollection"}.isdisjoint(rule["verbs"])


def test_the_portal_s_account_alone_has_them() -> None:
    account = {"kind": "ServiceAccount", "name": "aigc-portal", "namespace": "aigc-system"}
    bindings = [each for each in documents() if each["kind"].endswith("Binding")]
    assert [(each["kind"], each["roleRef"]["name"], each["subjects"]) for each in bindings] == [
        ("ClusterRoleBinding", "aigc-portal", [account])
    ]
    assert rights(rules_of("aigc-portal-gameserversets")) == [("game.kruise.io", "gameserversets", "list")]


# --- what is used ---


@dataclass
class Story:
    """What the portal does with a cluster, from a tenant's first launch to the last volume."""

    adapter: KubernetesCluster
    make_spec: Callable[..., WorkloadSpec]

    def tell(self) -> None:
        spec, shared = self.make_spec(), self.make_spec(gpu=GpuSpec("shared", dra=DRA))
        watching = self.adapter.watch()
        try:
            self.launch(spec)
            self.watch_until_ready(watching, spec)
            self.look(spec)
            self.pause_and_resume(spec)
            self.end(spec)
            self.launch(shared)
            self.end(shared)
        finally:
            watching.close()  # type: ignore[attr-defined]

    def launch(self, spec: WorkloadSpec) -> None:
        self.adapter.ensure_volume(spec.volume_ref, tenant="acme", size_gib=1)
        self.adapter.apply(spec)

    def watch_until_ready(self, watching: Iterator[Any], spec: WorkloadSpec) -> None:
        wait_for(lambda: (seen := next(watching)) is not None and seen.name == spec.name and seen.phase == Phase.READY)

    def look(self, spec: WorkloadSpec) -> None:
        self.adapter.read_log(spec.ref)
        self.adapter.load(spec.ref)
        self.adapter.list_workloads()
        self.adapter.can_mount(spec.volume_ref, pool="cloud")
        self.adapter.capacity([GpuSpec("shared", dra=DRA)])
        self.adapter.propose_classes()

    def pause_and_resume(self, spec: WorkloadSpec) -> None:
        stop(self.adapter, spec.ref)
        with suppress(FilesOpening):
            self.adapter.open_files(spec.volume_ref, tenant="acme")
        self.adapter.apply(replace(spec, epoch=2, environment={"STYLE": "bold"}))
        self.adapter.observe(spec.ref)

    def end(self, spec: WorkloadSpec) -> None:
        self.adapter.stop(spec.ref, epoch=2, grace_seconds=1)
        wait_phase(self.adapter, spec.ref, Phase.GONE)
        self.adapter.delete(spec.ref, epoch=3, grace_seconds=1)
        wait_phase(self.adapter, spec.ref, Phase.GONE)
        wait_for(lambda: self.is_without(spec))

    def is_without(self, spec: WorkloadSpec) -> bool:
        """Delete the volume, once nothing has it open any more."""
        try:
            self.adapter.delete_volume(spec.volume_ref)
        except ClusterError as error:
            if error.reason != Reason.VOLUME_IN_USE:
                raise
        return not self.adapter.volume_exists(spec.volume_ref)


def used_by(calls: list[Call]) -> set[Right]:
    """Rights behind the calls; an apply that made something needed two."""
    return {each for call in calls for each in _rights_of(call)}


def _rights_of(call: Call) -> Iterator[Right]:
    place = re.fullmatch(
        r"/(?:api|apis/([^/]+))/v1(?:beta1)?(?:/namespaces/[^/]+(?=/))?/([^/]+)(?:/[^/]+(?:/([^/]+))?)?", call.path
    )
    assert place, call.path
    resource = f"{place[2]}/{place[3]}" if place[3] else place[2]
    yield place[1] or "", resource, call.verb
    if (call.verb, call.status) == ("patch", 201):
        yield place[1] or "", resource, "create"


def tell(double: KubernetesDouble, directory: Path, make_spec: Callable[..., WorkloadSpec]) -> list[Call]:
    """Tell the story and give the calls of the portal."""
    kubeconfig = str(double.kubeconfig(directory / "kubeconfig"))
    adapter = KubernetesCluster.from_config("test", CONFIG | {"kubeconfig": kubeconfig})
    Story(adapter, make_spec).tell()
    return double.calls_since(0)


def test_the_story_uses_what_is_written_and_nothing_else(tmp_path: Path, make_spec: Callable[..., WorkloadSpec]) -> None:
    with KubernetesDouble(rbac=rules_of("aigc-portal"), speed=20) as double:
        calls = tell(double, tmp_path, make_spec)
    assert [(call.verb, call.path) for call in calls if call.status == 403] == []
    assert used_by(calls) == set(PORTAL) - ONLY_OF_THE_CONNECTION_TEST


@pytest.mark.parametrize("missing", [("", "namespaces", "create"), ("apps", "statefulsets", "create"), ("", "pods", "delete")])
def test_one_right_less_is_noticed(missing: Right, tmp_path: Path, make_spec: Callable[..., WorkloadSpec]) -> None:
    with KubernetesDouble(rbac=as_rules(set(PORTAL) - {missing}), speed=20) as double, pytest.raises(ClusterError) as refusal:
        tell(double, tmp_path, make_spec)
    assert refusal.value.reason == Reason.CLUSTER_FORBIDS
    assert f'cannot {missing[2]} resource "{missing[1]}"' in str(refusal.value)
