"""Where in its cluster an instance may be, if the nodes of the cluster are divided: on premises first, and where its data is."""

from engines.clusters import get_cluster, pools_of
from engines.models import Capacity, Cluster, Instance


def first_pool(instance: Instance) -> str:
    """Return the pool to wait in: the first that has the class at all, that its tenant may use and that can mount its data.

    Asks the cluster before data is taken elsewhere: ClusterUnavailable, ClusterError.
    """
    pools = pools_of(instance.cluster)
    there = Capacity.objects.filter(cluster_id=instance.cluster_id, gpu_class_id=instance.gpu_class_id, slots__gt=0)
    offering = set(there.values_list("pool", flat=True))
    for pool in pools:
        allowed = pool != Cluster.Location.CLOUD or instance.tenant.may_burst
        if pool == instance.pool or (pool in offering and allowed and can_mount(instance, pool)):
            return pool
    return pools[0]


def can_mount(instance: Instance, pool: str) -> bool:
    """Tell whether the instance could have its data in that pool; asks the cluster, unless there is no data yet."""
    volume = instance.volume
    return volume.provisioned_at is None or get_cluster(instance.cluster).can_mount(volume.ref, pool=pool)
