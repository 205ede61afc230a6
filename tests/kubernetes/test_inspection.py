"""What the connection test of a cluster finds, and what it honestly does not know."""

from collections import defaultdict

import pytest
from django.utils.functional import Promise

from engines.admin.words import SUBJECT_WORDS
from engines.clusters import get_cluster
from engines.clusters.base import ClusterUnavailable, Finding, VolumeRef
from engines.clusters.kubernetes.adapter import KubernetesCluster
from engines.clusters.kubernetes.inspection import PERMISSIONS, inspect
from tests.kubernetes.conftest import NAMESPACE
from tests.kubernetes.double import KubernetesDouble, resources

HELD, REACHED, NO_NAMES = "double/exit-30", "double/exit-10", "double/exit-20"


def found(cluster) -> dict[str, Finding]:
    return {each.subject: each for each in cluster.inspect()}


def prepare(cluster) -> None:
    """Give a tenant its namespace."""
    cluster.ensure_volume(VolumeRef("v-one", NAMESPACE), tenant="acme", size_gib=1)


def rules(*, without: tuple[str, str] = ("", "")) -> list[dict]:
    """Return the roles' rules that the portal needs, but for one verb on one resource."""
    verbs = defaultdict(set)
    for each in PERMISSIONS:
        name = f"{each.resource}/{each.subresource}" if each.subresource else each.resource
        if (each.verb, name) != without:
            verbs[each.group, name].add(each.verb)
    return [{"apiGroups": [group], "resources": [name], "verbs": sorted(each)} for (group, name), each in verbs.items()]


def test_a_good_cluster_is_good_in_everything(make_adapter, double):
    cluster = make_adapter(probe_image=HELD)
    prepare(cluster)
    findings = found(cluster)
    assert {each.subject: each.ok for each in findings.values()} == {
        "version": True, "root images": True, "permissions": True, "storage": True, "GPUs": True, "Pod Security": True,
        "network policies": True,
    }  # fmt: skip
    assert findings["version"].detail == "v1.36.2"
    assert findings["GPUs"].detail == "4 × nvidia.com/gpu on 1 of 1 nodes that take Pods"


@pytest.mark.parametrize("image", [HELD, REACHED, NO_NAMES, "double/exit-3"])
def test_every_sentence_is_put_into_words_when_somebody_reads_it(make_adapter, double, image):
    cluster = make_adapter(probe_image=image, storage_class="nowhere", pools={"onprem": {"a": "b"}, "cloud": {"c": "d"}})
    unprepared = cluster.inspect()
    prepare(cluster)
    for findings in (unprepared, cluster.inspect()):
        assert {each.subject for each in findings} == {*SUBJECT_WORDS} - {"tenant namespaces", "slots", "disk"}
        assert [each.subject for each in findings if not isinstance(each.detail, Promise)] == ["version"]  # nothing but a name


def test_this_machine_says_so_too(cluster):
    findings = get_cluster(cluster).inspect()
    assert {each.subject for each in findings} == {"slots", "GPUs", "disk"}
    disk = next(each for each in findings if each.subject == "disk")
    assert isinstance(disk.detail, Promise)
    assert "GiB free in" in disk.detail


def test_nothing_lasts(make_adapter, double):
    cluster = make_adapter(probe_image=HELD)
    prepare(cluster)
    before = {name: len(double.objects(name)) for name in resources.BY_PLURAL if name not in {"events", "pods"}}
    cluster.inspect()
    assert {name: len(double.objects(name)) for name in before} == before
    assert all("deletionTimestamp" in pod["metadata"] for pod in double.objects("pods"))


@pytest.mark.parametrize(
    ("image", "ok", "words"),
    [
        (REACHED, False, "reaches what it must not"),
        (NO_NAMES, None, "could not resolve names"),
        ("double/exit-3", None, "exit code 3"),
        ("double/exit-0", None, "exit code 0"),
    ],
)
def test_network_policies_are_judged_by_what_a_pod_reached(make_adapter, image, ok, words):
    cluster = make_adapter(probe_image=image)
    prepare(cluster)
    finding = found(cluster)["network policies"]
    assert finding.ok is ok
    assert words in finding.detail


def test_a_probe_that_never_runs_is_no_answer(make_adapter, double):
    cluster = make_adapter(probe_image="double/no-such")
    prepare(cluster)
    finding = inspect(cluster.rest, cluster._config, probe_seconds=1)[-1]
    assert (finding.subject, finding.ok) == ("network policies", None)
    assert finding.detail.startswith("unknown: ")


def test_policies_are_unknown_without_a_tenant(adapter):
    findings = found(adapter)
    assert findings["Pod Security"].ok is findings["network policies"].ok is None


def test_an_old_cluster_is_refused_at_once(adapter, monkeypatch):
    monkeypatch.setattr(resources, "VERSION", resources.VERSION | {"minor": "28+", "gitVersion": "v1.28.9"})
    assert adapter.inspect() == [Finding("version", False, "v1.28.9 is older than 1.29, the oldest supported")]


def test_a_cluster_that_would_run_root_images_as_root_says_that_they_are_refused(adapter, monkeypatch):
    monkeypatch.setattr(resources, "VERSION", resources.VERSION | {"minor": "32", "gitVersion": "v1.32.9"})
    assert found(adapter)["root images"] == Finding(
        "root images", None, "are refused: v1.32.9 drops hostUsers, which makes root harmless since 1.33"
    )


def test_a_version_newer_than_the_clusters_is_wrong(make_adapter):
    assert make_adapter(version="1.99").inspect()[0].ok is False


def test_pod_security_that_refuses_nothing_is_wrong(make_adapter, double):
    cluster = make_adapter(probe_image=HELD)
    prepare(cluster)
    double.merge("namespaces", "", NAMESPACE, {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}})
    assert found(cluster)["Pod Security"].ok is False


def test_storage(make_adapter, double):
    there = double.objects("storageclasses")[0]["metadata"]["name"]
    assert found(make_adapter(storage_class=there))["storage"].ok is True
    missing = found(make_adapter(storage_class="nowhere"))["storage"]
    assert missing.ok is False
    assert there in missing.detail
    for each in double.objects("storageclasses"):
        double.merge("storageclasses", "", each["metadata"]["name"], {"metadata": {"annotations": None}})
    assert found(make_adapter())["storage"].ok is False


@pytest.mark.parametrize("missing", [("watch", "pods"), ("get", "pods/log"), ("patch", "statefulsets"), ("create", "namespaces")])
def test_a_permission_that_is_missing_is_named(tmp_path, missing):
    finding = inspect_with(tmp_path, rules(without=missing))["permissions"]
    assert finding.ok is False
    assert f"{missing[0]} {missing[1]}" in finding.detail


def test_exactly_what_is_listed_is_enough(tmp_path):
    assert inspect_with(tmp_path, rules())["permissions"].ok is True


def inspect_with(tmp_path, rbac) -> dict[str, Finding]:
    with KubernetesDouble(speed=20, rbac=rbac) as double:
        path = double.kubeconfig(tmp_path / "kubeconfig")
        return found(KubernetesCluster.from_config("test", {"kubeconfig": str(path)}))


def test_no_answer_is_no_finding(adapter, double):
    double.stop_serving()
    with pytest.raises(ClusterUnavailable):
        adapter.inspect()
