"""What those who run the portal ask it: without signing in, and without learning of any tenant."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from engines.models import Cluster
from tests import factories


def watched(cluster: Cluster, *, seconds_ago: float) -> None:
    Cluster.objects.filter(pk=cluster.pk).update(watched_at=timezone.now() - timedelta(seconds=seconds_ago))


def test_it_lives_whatever_else_does(client: Client) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_it_is_ready_while_every_watcher_is_awake(client: Client, cluster: Cluster) -> None:
    watched(cluster, seconds_ago=1)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "failing": []})


def test_it_is_not_ready_with_a_watcher_that_sleeps(client: Client, cluster: Cluster) -> None:
    watched(cluster, seconds_ago=21)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"ready": False, "failing": ["watcher"]})
    Cluster.objects.update(enabled=False)
    assert client.get("/readyz").status_code == 200


def test_it_is_not_ready_without_valkey(client: Client, db: None, settings: object) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"  # type: ignore[attr-defined]
    assert client.get("/readyz").json() == {"ready": False, "failing": ["valkey"]}


@pytest.mark.parametrize("sent", [{}, {"HTTP_AUTHORIZATION": "Bearer wrong"}, {"HTTP_AUTHORIZATION": "Bearer "}])
@pytest.mark.parametrize("token", ["", "of-its-own"])
def test_metrics_need_their_token(client: Client, cluster: Cluster, settings: object, token: str, sent: dict[str, str]) -> None:
    settings.METRICS_TOKEN = token  # type: ignore[attr-defined]
    assert client.get("/metrics", **sent).status_code == 404


def test_metrics_say_how_old_each_cluster_is(client: Client, cluster: Cluster, settings: object, tmp_path: object) -> None:
    settings.METRICS_TOKEN = "of-its-own"  # type: ignore[attr-defined]
    never = factories.make_cluster(str(tmp_path))
    watched(cluster, seconds_ago=3600)
    lines = client.get("/metrics", HTTP_AUTHORIZATION="Bearer of-its-own").content.decode().splitlines()
    ages = {line.split(" ")[0]: line.split(" ")[1] for line in lines if not line.startswith("#")}
    assert ages[f'aigc_cluster_watch_age_seconds{{cluster="{never.slug}"}}'] == "+Inf"
    assert 3600 <= float(ages[f'aigc_cluster_watch_age_seconds{{cluster="{cluster.slug}"}}']) < 3700
