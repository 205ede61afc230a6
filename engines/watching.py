"""The process that looks: one watcher per cluster, the leader by an advisory lock, started again whatever happens."""

import logging
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from engines.capacity import record_capacity
from engines.clusters import get_cluster
from engines.clusters.base import Cluster as Adapter
from engines.clusters.base import ClusterError, ClusterUnavailable
from engines.models import Cluster, GpuClass
from engines.observe import observe
from engines.reconcile import expire_deadlines
from engines.workloads import gpu_spec

log = logging.getLogger(__name__)

# The first key of our advisory locks; the second is the cluster's.
LOCK_SPACE = 0x41494743
_TICK_SECONDS = 1.0
_COUNT_SECONDS = 60.0
_RETRY_SECONDS = (1.0, 15.0)
_STANDBY_SECONDS = 5.0  # how soon, at most, another takes over from a leader that has died


def watch_for_ever(cluster_id: int, stop: threading.Event) -> None:
    """Watch one cluster until told to stop, or until it is no more; back off with jitter after every failure."""
    pause = _RETRY_SECONDS[0]
    while not stop.is_set():
        started = time.monotonic()
        try:
            if not _watch_as_leader(cluster_id, stop):
                stop.wait(_STANDBY_SECONDS * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
                continue
        except Cluster.DoesNotExist:
            return
        except (ClusterError, ClusterUnavailable, DatabaseError, InterfaceError) as error:
            log.warning("watching cluster %s failed, trying again: %s", cluster_id, error)
        except Exception:  # a thread that ended here would leave the cluster unwatched until somebody restarts the process
            log.exception("watching cluster %s failed, trying again", cluster_id)
        finally:
            connection.close()
        pause = _RETRY_SECONDS[0] if time.monotonic() - started > 60 else min(pause * 2, _RETRY_SECONDS[1])
        stop.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret


def _watch_as_leader(cluster_id: int, stop: threading.Event) -> bool:
    """Watch until told to stop or reconfigured; False if somebody else does."""
    with _leadership(cluster_id) as leading:
        if leading:
            _watch(cluster_id, stop)
        return leading


def _watch(cluster_id: int, stop: threading.Event) -> None:
    cluster = Cluster.objects.get(pk=cluster_id)
    adapter = get_cluster(cluster)
    next_tick = next_count = 0.0
    for seen in adapter.watch():
        if stop.is_set():
            return
        if seen is not None:
            observe(cluster, seen)
        if time.monotonic() >= next_tick:
            next_tick = time.monotonic() + _TICK_SECONDS
            if _tick(cluster):
                return
        if time.monotonic() >= next_count:
            next_count = time.monotonic() + _COUNT_SECONDS
            _count(cluster, adapter)


def _count(cluster: Cluster, adapter: Adapter) -> None:
    """Write down the slots; where they cannot be counted, the last count stays and engines are watched all the same."""
    try:
        offered = adapter.capacity([gpu_spec(each) for each in GpuClass.objects.all()])
    except (ClusterError, ClusterUnavailable) as error:
        log.warning("the slots of cluster %s cannot be counted: %s", cluster.slug, error)
        return
    record_capacity(cluster, offered)


def _tick(cluster: Cluster) -> bool:
    """Each second: end what is overdue, say that somebody looks, and tell whether the cluster was reconfigured."""
    expire_deadlines(cluster)
    Cluster.objects.filter(pk=cluster.pk).update(watched_at=timezone.now())
    as_it_was = {"config": cluster.config, "credentials_changed_at": cluster.credentials_changed_at}
    return not Cluster.objects.filter(pk=cluster.pk, **as_it_was).exists()


@contextmanager
def _leadership(cluster_id: int) -> Iterator[bool]:
    """Hold the cluster's advisory lock on this thread's connection; lost with the connection, and so with the process."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK_SPACE, cluster_id])
        leading = bool(cursor.fetchone()[0])
    try:
        yield leading
    finally:
        if leading and connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCK_SPACE, cluster_id])
