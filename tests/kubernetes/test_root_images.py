"""An image that insists on root is root of a user namespace, or does not run at all."""

from dataclasses import replace

import pytest

from engines.clusters.base import ClusterError, Phase
from engines.reasons import Reason
from tests.contract.workloads import wait_phase
from tests.kubernetes.conftest import NAMESPACE
from tests.kubernetes.double import resources

WRITES = {"POST", "PATCH", "PUT", "DELETE"}


def be(monkeypatch, minor: str, name: str) -> None:
    monkeypatch.setattr(resources, "VERSION", resources.VERSION | {"minor": minor, "gitVersion": name})


def launch(adapter, spec) -> None:
    adapter.ensure_volume(spec.volume_ref, tenant=spec.tenant, size_gib=1)
    adapter.apply(spec)


def refused(double, adapter, spec) -> ClusterError:
    """The refusal of an apply, which must not have written anything."""
    mark = len(double.calls)
    with pytest.raises(ClusterError) as caught:
        adapter.apply(spec)
    assert [call for call in double.calls_since(mark) if call.method in WRITES] == []
    return caught.value


@pytest.mark.parametrize("level", ["baseline", "restricted"])
@pytest.mark.parametrize("run_as", ["root", "0"])
def test_a_server_that_would_drop_the_user_namespace_gets_no_root_image(
    double, make_adapter, make_spec, monkeypatch, level, run_as
):
    be(monkeypatch, "32+", "v1.32.9-eks-1")
    adapter, spec = make_adapter(pod_security=level), make_spec(run_as=run_as)
    adapter.ensure_volume(spec.volume_ref, tenant=spec.tenant, size_gib=1)
    refusal = refused(double, adapter, spec)
    assert refusal.reason == Reason.ROOT_IMAGE
    assert str(refusal) == "Kubernetes v1.32.9-eks-1 drops hostUsers, which keeps root apart from its node since 1.33"
    assert double.objects("statefulsets") == []


def test_what_the_configuration_says_of_the_version_does_not_count(double, make_adapter, make_spec, monkeypatch):
    be(monkeypatch, "32", "v1.32.9")
    adapter, spec = make_adapter(version="1.36"), make_spec(run_as="root")
    adapter.ensure_volume(spec.volume_ref, tenant=spec.tenant, size_gib=1)
    assert refused(double, adapter, spec).reason == Reason.ROOT_IMAGE


def test_nor_does_it_get_one_by_a_resume(double, make_adapter, make_spec, monkeypatch):
    adapter, spec = make_adapter(), make_spec(run_as="root")
    launch(adapter, spec)
    wait_phase(adapter, spec.ref, Phase.READY)
    adapter.stop(spec.ref, epoch=1, grace_seconds=1)
    wait_phase(adapter, spec.ref, Phase.GONE)
    be(monkeypatch, "32", "v1.32.9")
    assert refused(double, make_adapter(), replace(spec, epoch=2)).reason == Reason.ROOT_IMAGE
    assert double.get("statefulsets", NAMESPACE, spec.name)["spec"]["replicas"] == 0


def test_an_upgraded_server_is_noticed_and_then_not_asked_again(double, adapter, make_spec, monkeypatch):
    be(monkeypatch, "32", "v1.32.9")
    spec = make_spec(run_as="root")
    adapter.ensure_volume(spec.volume_ref, tenant=spec.tenant, size_gib=1)
    refused(double, adapter, spec)
    be(monkeypatch, "33", "v1.33.0")
    adapter.apply(spec)
    pod = double.get("statefulsets", NAMESPACE, spec.name)["spec"]["template"]["spec"]
    assert (pod["hostUsers"], pod["securityContext"]["runAsUser"]) == (False, 0)
    mark = len(double.calls)
    launch(adapter, make_spec(run_as="root"))
    assert "/version" not in [call.path for call in double.calls_since(mark)]


def test_nobody_else_asks_for_the_version(double, adapter, make_spec, monkeypatch):
    be(monkeypatch, "29", "v1.29.0")
    spec = make_spec()
    launch(adapter, spec)
    wait_phase(adapter, spec.ref, Phase.READY)
    assert "/version" not in [call.path for call in double.calls_since(0)]
