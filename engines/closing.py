"""The portal's own orderly end: engines that are processes of this machine are paused, and end before it does."""

import logging
from typing import TYPE_CHECKING, cast

from engines.clusters import get_cluster
from engines.clusters.base import ClusterUnavailable
from engines.models import Cluster, Instance
from engines.operations.shutdown import pause_for_shutdown
from engines.reconcile import reconcile
from engines.states import HOLDS_GPU
from engines.sweeping import observe_all

if TYPE_CHECKING:
    from engines.clusters.local.adapter import LocalCluster

log = logging.getLogger(__name__)


def end_local_engines(*, grace_seconds: float = 5.0) -> None:
    """Pause every engine of this machine, wait until all are gone, forced after a few seconds, and write down how they ended.

    For the moment when no worker and no watcher runs any more.
    """
    for cluster in Cluster.objects.filter(kind=Cluster.Kind.LOCAL):
        try:
            _pause_all(cluster)
        except Exception:  # engines must end all the same: those that could not be asked are found gone at the next start
            log.exception("the engines of cluster %s could not be paused", cluster.slug)
        cast("LocalCluster", get_cluster(cluster)).shutdown(grace_seconds)
        observe_all(cluster)


def _pause_all(cluster: Cluster) -> None:
    """Ask, and act on it here: nobody else will. What was being stopped or deleted is pressed on with."""
    pause_for_shutdown(cluster)
    for instance_id in Instance.objects.filter(cluster=cluster, state__in=HOLDS_GPU).values_list("pk", flat=True):
        try:
            reconcile(instance_id)
        except ClusterUnavailable as error:
            log.warning("instance %s could not be stopped in time: %s", instance_id, error)
