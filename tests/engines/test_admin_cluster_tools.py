"""Operators test a cluster's connection and take over GPU classes that it proposes; nobody else does."""

import pytest
from django.test import Client
from django.urls import reverse

from engines.models import Cluster, GpuClass
from tests import factories
from tests.kubernetes.double import KubernetesDouble, node

PRODUCT = {"nvidia.com/gpu.product": "NVIDIA-GeForce-RTX-4090", "nvidia.com/gpu.memory": "24564"}
SLUG = "nvidia-geforce-rtx-4090"
PAGES = ["test", "proposals", "adopt"]


@pytest.fixture
def operator(client, olga):
    client.force_login(olga)
    return client


@pytest.fixture
def double():
    with KubernetesDouble(speed=20, nodes=[node("gpu-1", {"nvidia.com/gpu": 2}, PRODUCT)]) as double:
        yield double


@pytest.fixture
def cluster(db, double, tmp_path):
    path = double.kubeconfig(tmp_path / "kubeconfig")
    return Cluster.objects.create(slug="lab", name="Lab", kind="kubernetes", config={"kubeconfig": str(path)})


def url(page: str, cluster: Cluster) -> str:
    return reverse(f"admin:engines_cluster_{page}", args=[cluster.pk])


def said(response) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def test_the_buttons_are_on_the_clusters_page(operator, cluster):
    page = operator.get(reverse("admin:engines_cluster_change", args=[cluster.pk])).content.decode()
    assert f'action="{url("test", cluster)}"' in page
    assert f'action="{url("proposals", cluster)}"' in page
    assert operator.get(reverse("admin:engines_cluster_add")).status_code == 200


def test_a_connection_test_shows_each_finding_in_words(operator, cluster):
    response = operator.post(url("test", cluster))
    assert response.status_code == 200
    rows = {str(subject): (str(verdict), detail) for subject, verdict, detail in response.context["findings"]}
    assert rows["version"][1] == "v1.36.2"
    assert "check_circle" in rows["version"][0]
    assert "info" in rows["network policies"][0]
    assert rows["network policies"][1] in response.content.decode()


def test_a_local_cluster_is_tested_and_proposes_nothing(operator, tmp_path):
    local = factories.make_cluster(tmp_path)
    assert {str(row[0]) for row in operator.post(url("test", local)).context["findings"]} == {"slots", "GPUs", "disk"}
    assert "advertises nothing" in operator.post(url("proposals", local)).content.decode()


def test_a_cluster_that_does_not_answer_is_a_message(operator, cluster, double):
    double.stop_serving()
    for page in PAGES:
        response = operator.post(url(page, cluster), {"slug": SLUG}, follow=True)
        assert response.redirect_chain == [(reverse("admin:engines_cluster_change", args=[cluster.pk]), 302)]
        why = f"127.0.0.1:{double.port}: Failed to establish a new connection: [Errno 111] Connection refused"
        assert said(response) == [f"Lab gives no answer: the API server cannot be reached: {why}"]


def test_chosen_classes_are_added_hidden_once_and_never_overwritten(operator, cluster):
    page = operator.post(url("proposals", cluster)).content.decode()
    assert "restricts its use in data centres" in page
    assert not GpuClass.objects.filter(slug=SLUG).exists()
    first = operator.post(url("adopt", cluster), {"slug": [SLUG, "made-up"]}, follow=True)
    assert said(first)[0].startswith("1 GPU class was added.")
    added = GpuClass.objects.get(slug=SLUG)
    assert (added.hidden, added.resource, added.memory_mib) == (True, "nvidia.com/gpu", 24564)
    assert not GpuClass.objects.filter(slug="made-up").exists()
    GpuClass.objects.filter(pk=added.pk).update(name="Ours", hidden=False)
    response = operator.post(url("adopt", cluster), {"slug": [SLUG]}, follow=True)
    assert said(response) == ["No GPU class was added: none was chosen that is new."]
    added.refresh_from_db()
    assert (added.name, added.hidden) == ("Ours", False)
    assert "exists already" in operator.post(url("proposals", cluster)).content.decode()


@pytest.mark.parametrize("page", PAGES)
def test_only_posts_of_operators_count(client, anna, olga, cluster, page):
    assert client.post(url(page, cluster)).status_code == 302  # to sign in
    client.force_login(anna)
    assert client.post(url(page, cluster), follow=True).status_code == 403
    client.force_login(factories.make_operator("sam"))
    assert client.post(url(page, cluster)).status_code == 403
    client.force_login(olga)
    assert client.get(url(page, cluster)).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(olga)
    assert strict.post(url(page, cluster)).status_code == 403
    assert not GpuClass.objects.filter(slug=SLUG).exists()
