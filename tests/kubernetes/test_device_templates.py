"""A workload that claims devices has one template of its claims, and none once it is deleted."""

from dataclasses import replace

import pytest

from engines.clusters.base import GpuSpec, Phase
from engines.clusters.kubernetes.adapter import KubernetesCluster
from tests.contract.workloads import apply_in_time, stop, wait_for, wait_phase
from tests.kubernetes.conftest import NAMESPACE
from tests.kubernetes.double import KubernetesDouble
from tests.kubernetes.test_rbac import PORTAL, as_rules


def claiming(device_class: str) -> GpuSpec:
    request = {"name": "any", "device_class": device_class, "count": 1, "cel": []}
    return GpuSpec(device_class, vendor="nvidia", dra={"first_available": [request]})


L4, A10, PLAIN = claiming("l4.example.org"), claiming("a10.example.org"), GpuSpec("cpu")


@pytest.fixture
def templates(double):
    """What there is, as workload and device class."""

    def found() -> list[tuple[str, str]]:
        return [
            (each["metadata"]["labels"]["aigc-portal.io/workload"],
             each["spec"]["spec"]["devices"]["requests"][0]["firstAvailable"][0]["deviceClassName"])
            for each in double.objects("resourceclaimtemplates")
        ]  # fmt: skip

    return found


@pytest.fixture
def launched(adapter, make_spec):
    def launch(gpu: GpuSpec):
        spec = make_spec(gpu=gpu)
        adapter.ensure_volume(spec.volume_ref, tenant="acme", size_gib=1)
        adapter.apply(spec)
        return spec

    return launch


def delete(adapter, spec, epoch=9):
    adapter.delete(spec.ref, epoch=epoch, grace_seconds=1)
    wait_phase(adapter, spec.ref, Phase.GONE)


def test_it_goes_with_its_workload_and_leaves_those_of_others(adapter, launched, templates):
    one, other = launched(L4), launched(L4)
    assert sorted(templates()) == sorted([(one.name, "l4.example.org"), (other.name, "l4.example.org")])
    delete(adapter, one)
    assert templates() == [(other.name, "l4.example.org")]


def test_a_pause_keeps_it_and_a_resume_uses_it(adapter, launched, templates):
    spec = launched(L4)
    stop(adapter, spec.ref)
    assert templates() == [(spec.name, "l4.example.org")]
    apply_in_time(adapter, replace(spec, epoch=2))
    assert templates() == [(spec.name, "l4.example.org")]


@pytest.mark.parametrize(("gpu", "left"), [(A10, ["a10.example.org"]), (PLAIN, [])])
def test_another_class_replaces_it(adapter, launched, templates, gpu, left):
    spec = launched(L4)
    stop(adapter, spec.ref)
    apply_in_time(adapter, replace(spec, epoch=2, gpu=gpu))
    assert [device_class for _, device_class in templates()] == left
    stop(adapter, spec.ref, epoch=2)
    delete(adapter, spec)
    assert templates() == []


def test_a_deletion_that_was_cut_off_is_completed(double, make_adapter, launched, templates):
    spec = launched(L4)
    double.faults.add(verb="delete", path="resourceclaimtemplates", status=500, times=1)
    with pytest.raises(Exception, match="500"):
        make_adapter().delete(spec.ref, epoch=9, grace_seconds=1)
    assert double.get("statefulsets", NAMESPACE, spec.name) is not None
    delete(make_adapter(), spec)
    assert templates() == []


def test_it_goes_even_if_somebody_deleted_the_statefulset(double, make_adapter, launched, templates):
    spec = launched(L4)
    double.delete("statefulsets", NAMESPACE, spec.name)
    wait_for(lambda: double.get("statefulsets", NAMESPACE, spec.name) is None)
    delete(make_adapter(), spec)
    assert templates() == []


def test_roles_of_an_earlier_portal_and_clusters_without_device_claims_do_not_hold_up_other_deletions(tmp_path, make_spec):
    earlier = as_rules({each for each in PORTAL if each[1] != "resourceclaimtemplates"})
    for options in ({"rbac": earlier}, {"without": ["resource.k8s.io"]}):
        with KubernetesDouble(speed=20, **options) as double:
            config = {"kubeconfig": str(double.kubeconfig(tmp_path / "kubeconfig")), "upstream": "cluster-ip"}
            adapter, spec = KubernetesCluster.from_config("test", config), make_spec()
            adapter.ensure_volume(spec.volume_ref, tenant="acme", size_gib=1)
            adapter.apply(spec)
            delete(adapter, spec)
            delete(adapter, spec)
            assert double.objects("statefulsets") == []


def test_a_workload_that_claims_nothing_costs_no_call(double, adapter, launched):
    spec = launched(PLAIN)
    mark = len(double.calls)
    adapter.delete(spec.ref, epoch=9, grace_seconds=1)
    assert [call.path for call in double.calls_since(mark) if "resourceclaim" in call.path] == []
