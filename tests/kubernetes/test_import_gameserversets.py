"""`manage.py import_gameserversets --cluster` on a cluster: what is there is read, under one right, and nothing is written."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from engines.models import Cluster, Engine, EngineVersion, GpuClass
from tests.kubernetes.double import KubernetesDouble
from tests.kubernetes.scenes import namespace
from tests.kubernetes.test_rbac import rules_of

pytestmark = pytest.mark.django_db

TEMPLATES = Path(__file__).parents[1] / "engines/gameserversets"
READER = "aigc-portal-gameserversets"
LISTING = ("list", "/apis/game.kruise.io/v1alpha1/gameserversets", 200)


def documents(name: str) -> list[dict[str, Any]]:
    """The GameServerSets of a file, lists taken apart."""
    found = [each for each in yaml.safe_load_all((TEMPLATES / f"{name}.yaml").read_text()) if each]
    items = [item for each in found for item in each.get("items", [each])]
    return [each for each in items if each["kind"] == "GameServerSet"]


@pytest.fixture
def row(tmp_path: Path) -> Callable[[KubernetesDouble], Cluster]:
    """The cluster of the catalog that reaches a double."""

    def make(double: KubernetesDouble) -> Cluster:
        config = {"kubeconfig": str(double.kubeconfig(tmp_path / "kubeconfig"))}
        return Cluster.objects.create(slug="lab", name="Lab", kind=Cluster.Kind.KUBERNETES, config=config)

    return make


def run(**options: Any) -> list[str]:
    out = io.StringIO()
    call_command("import_gameserversets", cluster="lab", stdout=out, **options)
    return out.getvalue().splitlines()


def refusal() -> str:
    with pytest.raises(CommandError) as caught:
        run()
    assert (Engine.objects.count(), EngineVersion.objects.count(), GpuClass.objects.count()) == (0, 0, 0)
    return str(caught.value)


def asked(double: KubernetesDouble) -> list[tuple[str, str, int]]:
    return [(call.verb, call.path, call.status) for call in double.calls_since(0)]


def test_a_cluster_s_sets_become_drafts_by_one_listing_and_no_write(row: Any) -> None:
    with KubernetesDouble(rbac=rules_of(READER)) as double:
        double.load([namespace("studio"), *documents("comfyui"), *documents("eci")])
        row(double)
        before = double.objects("gameserversets")
        lines = run()
        assert asked(double) == [LISTING]
        assert double.objects("gameserversets") == before
    assert lines[-1].startswith("9 created, 0 changed, 0 unchanged.")
    assert "studio/comfyui-4090 in cluster lab" in lines
    assert set(Engine.objects.values_list("slug", "versions__status")) == {
        ("comfyui-4090", "draft"), ("fooocus-eci", "draft"), ("captions-eci", "draft"),
    }  # fmt: skip


def test_what_the_server_adds_to_an_object_changes_nothing_of_what_it_becomes(row: Any) -> None:
    with KubernetesDouble(rbac=rules_of(READER)) as double:
        double.load([namespace("studio"), *documents("comfyui")])
        row(double)
        run()
    call_command("import_gameserversets", str(TEMPLATES / "comfyui.yaml"), stdout=(out := io.StringIO()))
    assert out.getvalue().splitlines()[-1].startswith("unchanged: all 3 entries are as in the files.")


def test_more_sets_than_one_page_holds_are_all_read(row: Any) -> None:
    [template] = documents("comfyui")
    metadata = template["metadata"]
    many = [template | {"metadata": metadata | {"name": f"comfyui-{number}"}} for number in range(501)]
    with KubernetesDouble(rbac=rules_of(READER)) as double:
        double.load([namespace("studio"), *many])
        row(double)
        run(dry_run=True, namespace=["studio"], verbosity=0)
        assert asked(double) == [LISTING, LISTING]
    assert Engine.objects.count() == 0


def test_a_cluster_without_openkruisegame_is_told_so(row: Any) -> None:
    with KubernetesDouble(rbac=rules_of(READER), without=["game.kruise.io"]) as double:
        row(double)
        assert refusal() == ("cluster lab: knows no GameServerSets: OpenKruiseGame is not installed there\nNothing was imported.")
        assert asked(double) == [(*LISTING[:2], 404)]


def test_the_portal_s_own_rights_do_not_suffice_and_the_role_that_does_is_named(row: Any) -> None:
    with KubernetesDouble(rbac=rules_of("aigc-portal")) as double:
        double.load([namespace("studio"), *documents("comfyui")])
        row(double)
        assert refusal() == (
            "cluster lab: the portal's account may not list GameServerSets. Give it the role aigc-portal-gameserversets of "
            "deploy/kubernetes/rbac.yaml. The cluster says: gameserversets.game.kruise.io is forbidden: "
            'User "portal" cannot list resource "gameserversets" in API group "game.kruise.io" at the cluster scope'
            "\nNothing was imported."
        )
        assert asked(double) == [(*LISTING[:2], 403)]


def test_a_cluster_without_any_set_and_one_that_does_not_answer(row: Any) -> None:
    with KubernetesDouble(rbac=rules_of(READER)) as double:
        row(double)
        assert refusal() == "cluster lab: has no GameServerSet\nNothing was imported."
        double.stop_serving()
        assert refusal().startswith("cluster lab: the API server cannot be reached: ")
