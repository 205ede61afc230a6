"""What a cluster says it has, and who may say otherwise."""

import threading

from django.db import connection

from engines.capacity import record_capacity
from engines.clusters.base import ClassCapacity
from engines.models import Capacity, Cluster
from engines.watching import watch_for_ever
from tests import factories
from tests.waiting import wait_until


def slots(cluster):
    return dict(Capacity.objects.filter(cluster=cluster).values_list("gpu_class__slug", "slots"))


def test_rows_follow_the_cluster(cluster, caplog):
    factories.make_gpu_class("l4")
    record_capacity(cluster, [ClassCapacity("cpu-small", 2), ClassCapacity("l4", 1), ClassCapacity("unheard-of", 9)])
    assert slots(cluster) == {"cpu-small": 2, "l4": 1}
    assert "offers unheard-of, which is no GPU class" in caplog.text
    record_capacity(cluster, [ClassCapacity("l4", 1)])
    assert slots(cluster) == {"cpu-small": 0, "l4": 1}


def test_another_clusters_rows_are_left_alone(cluster, make_cluster):
    other = make_cluster(slots=7)
    record_capacity(cluster, [])
    assert slots(other) == {"cpu-small": 7}


def test_the_watcher_writes_it_down_and_follows_the_configuration(transactional_db, make_cluster):
    cluster = make_cluster(slots=3)
    Capacity.objects.all().delete()
    stop = threading.Event()
    watcher = threading.Thread(target=watch_for_ever, args=(cluster.pk, stop))
    watcher.start()
    try:
        wait_until(lambda: slots(cluster) == {"cpu-small": 3})
        Cluster.objects.filter(pk=cluster.pk).update(config=cluster.config | {"slots": {"cpu-small": 5}})
        wait_until(lambda: slots(cluster) == {"cpu-small": 5})
        wait_until(lambda: Cluster.objects.get(pk=cluster.pk).watched_at is not None)
    finally:
        stop.set()
        watcher.join()
        connection.close()


def test_why_there_are_none_is_kept_until_there_are_some(cluster):
    said = "no node has the labels " + "x" * 400
    record_capacity(cluster, [ClassCapacity("cpu-small", 0, evidence=said)])
    row = Capacity.objects.get(cluster=cluster)
    assert (row.slots, row.largest_node, row.evidence) == (0, 0, said[:300])
    record_capacity(cluster, [ClassCapacity("cpu-small", 6, largest_node=4)])
    row.refresh_from_db()
    assert (row.slots, row.largest_node, row.evidence) == (6, 4, "")
