"""Credentials of clusters: encrypted at rest, shown to nobody, followed by running processes, and their keys can change."""

import logging
import threading
from io import StringIO

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.db import connection
from django.urls import reverse

from aigc_portal.sealing import Unreadable, seal, unseal
from engines.clusters import config_problem, get_cluster
from engines.clusters.base import ClusterUnavailable
from engines.models import Cluster, ClusterSecret
from engines.operations.clusters import forget_secret, store_secret
from engines.watching import watch_for_ever
from tests.waiting import wait_until

KUBECONFIG = "apiVersion: v1\nkind: Config\nusers: [{name: portal, user: {token: s3cret-t0ken}}]\n"
OLD, NEW = "o" * 40, "n" * 40


@pytest.fixture
def remote(db):
    return Cluster.objects.create(slug="remote", name="Remote", kind="kubernetes", config={"kubeconfig_secret": "main"})


@pytest.fixture
def operator(client, olga):
    client.force_login(olga)
    return client


def test_what_is_stored_is_not_what_is_kept(remote):
    store_secret(cluster=remote, name="main", value=KUBECONFIG)
    secret = ClusterSecret.objects.get()
    assert "s3cret" not in secret.sealed
    assert "Config" not in secret.sealed
    assert remote.credential("main") == KUBECONFIG
    assert "s3cret" not in f"{secret} {secret!r}"


def test_the_same_text_is_sealed_differently_each_time():
    assert seal("x") != seal("x")
    assert unseal(seal("密钥")) == "密钥"


def test_storing_again_replaces(remote):
    for value in ("first", "second"):
        store_secret(cluster=remote, name="main", value=value)
    assert remote.credential("main") == "second"
    assert ClusterSecret.objects.count() == 1


def test_a_secret_is_its_clusters_own(remote, cluster):
    store_secret(cluster=cluster, name="main", value="another's")
    with pytest.raises(KeyError):
        remote.credential("main")


def test_keys_change_without_losing_anything(remote, settings):
    settings.ENCRYPTION_KEYS = [OLD]
    store_secret(cluster=remote, name="main", value="kept")
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    out = StringIO()
    call_command("rotate_secrets", stdout=out)
    assert "encrypted anew: 1" in out.getvalue()
    settings.ENCRYPTION_KEYS = [NEW]
    assert remote.credential("main") == "kept"
    settings.ENCRYPTION_KEYS = [OLD]
    with pytest.raises(Unreadable):
        remote.credential("main")


def test_a_cluster_without_its_secret_is_unavailable_and_says_which(remote, settings):
    with pytest.raises(ClusterUnavailable, match="the cluster has no stored secret “main”"):
        get_cluster(remote)
    settings.ENCRYPTION_KEYS = [OLD]
    store_secret(cluster=remote, name="main", value="lost")
    remote.refresh_from_db()
    settings.ENCRYPTION_KEYS = [NEW]
    with pytest.raises(ClusterUnavailable, match="sealed with a key that is not among"):
        get_cluster(remote)


def test_an_adapter_is_made_anew_once_a_secret_changes(cluster):
    first = get_cluster(cluster)
    assert get_cluster(Cluster.objects.get(pk=cluster.pk)) is first
    secret = store_secret(cluster=cluster, name="main", value="changed")
    second = get_cluster(Cluster.objects.get(pk=cluster.pk))
    assert second is not first
    forget_secret(secret=secret)
    assert get_cluster(Cluster.objects.get(pk=cluster.pk)) not in {first, second}
    assert not ClusterSecret.objects.exists()


def test_a_running_watcher_follows_a_changed_secret(transactional_db, make_cluster, caplog):
    cluster = make_cluster()
    stop = threading.Event()
    watcher = threading.Thread(target=watch_for_ever, args=(cluster.pk, stop))
    adapters = []
    watcher.start()
    try:
        wait_until(lambda: Cluster.objects.get(pk=cluster.pk).watched_at is not None)
        adapters.append(get_cluster(Cluster.objects.get(pk=cluster.pk)))
        store_secret(cluster=cluster, name="main", value="changed")
        changed_at = Cluster.objects.get(pk=cluster.pk).credentials_changed_at
        wait_until(lambda: (Cluster.objects.get(pk=cluster.pk).watched_at or changed_at) > changed_at)
    finally:
        stop.set()
        watcher.join()
        connection.close()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"kubeconfig_secret": "main", "storage_class": "fast"}, ""),
        ({"slots": {"eci-t4": 8}}, ""),
        ({"slots": {"eci-t4": -1}}, "“slots”: “eci-t4” must be a whole number of slots"),
        (
            {"kubeconfig": "/etc/kubeconfig", "in_cluster": True},
            "“kubeconfig” and “in_cluster” exclude each other: choose one way",
        ),
        ({"kubeconfig_content": KUBECONFIG}, "“kubeconfig_content” is not a known key"),
    ],
)
def test_what_a_kubernetes_cluster_is_made_of(config, problem):
    assert config_problem("kubernetes", "remote", config).startswith(problem)
    assert bool(config_problem("kubernetes", "remote", config)) is bool(problem)


# --- The operators' page --------------------------------------------------------------------------------------------


def test_a_secret_is_written_and_never_shown_again(operator, remote, caplog):
    add = reverse("admin:engines_clustersecret_add")
    fields = {"cluster": remote.pk, "name": "main", "value": KUBECONFIG}
    assert operator.post(add, fields).status_code == 302
    secret = ClusterSecret.objects.get()
    assert remote.credential("main") == KUBECONFIG
    for page in (
        reverse("admin:engines_clustersecret_change", args=[secret.pk]),
        reverse("admin:engines_clustersecret_changelist"),
        reverse("admin:engines_clustersecret_history", args=[secret.pk]),
        reverse("admin:engines_cluster_change", args=[remote.pk]),
    ):
        text = operator.get(page).content.decode()
        assert "s3cret" not in text
        assert secret.sealed not in text
    assert "s3cret" not in caplog.text
    assert not any("s3cret" in f"{entry} {entry.change_message}" for entry in LogEntry.objects.all())


def test_an_empty_value_keeps_what_is_stored_and_another_replaces_it(operator, remote):
    secret = store_secret(cluster=remote, name="main", value="first")
    page = reverse("admin:engines_clustersecret_change", args=[secret.pk])
    assert operator.post(page, {"value": ""}).status_code == 302
    assert remote.credential("main") == "first"
    assert operator.post(page, {"value": "second"}).status_code == 302
    assert remote.credential("main") == "second"


def test_a_refused_form_does_not_show_the_value_either(operator, remote):
    store_secret(cluster=remote, name="main", value="first")
    fields = {"cluster": remote.pk, "name": "main", "value": "s3cret"}
    refused = operator.post(reverse("admin:engines_clustersecret_add"), fields)
    assert refused.status_code == 200
    assert "s3cret" not in refused.content.decode()
    assert remote.credential("main") == "first"
    assert operator.post(reverse("admin:engines_clustersecret_add"), fields | {"name": "new", "value": ""}).status_code == 200
    assert ClusterSecret.objects.count() == 1


@pytest.mark.parametrize("many", [False, True])
def test_removing_a_secret_is_told_to_running_processes(operator, remote, many):
    secret = store_secret(cluster=remote, name="main", value="first")
    remote.refresh_from_db()
    before = remote.credentials_changed_at
    if many:
        data = {"action": "delete_selected", "_selected_action": [secret.pk], "post": "yes"}
        operator.post(reverse("admin:engines_clustersecret_changelist"), data)
    else:
        operator.post(reverse("admin:engines_clustersecret_delete", args=[secret.pk]), {"post": "yes"})
    remote.refresh_from_db()
    assert not ClusterSecret.objects.exists()
    assert remote.credentials_changed_at > before
