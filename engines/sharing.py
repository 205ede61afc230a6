"""GPUs that several workloads take turns on: nothing keeps their memory and faults apart, so one tenant has them at a time.

All time-sliced classes of a cluster count as one, because they may be the same cards (docs/adr/0007-shared-gpus.md).
"""

from django.db.models import Q

from engines.models import Capacity, GpuClass, Instance
from engines.models.instance import InstanceQuerySet
from engines.states import HOLDS_GPU


def is_shared(gpu_class: GpuClass) -> bool:
    """Tell whether workloads of the class can reach each other's memory."""
    return gpu_class.sharing == GpuClass.Sharing.TIME_SLICING


def lock_slots(cluster_ids: set[int], gpu_class: GpuClass) -> list[Capacity]:
    """Lock what slots of the class are handed out under, and return the class's own rows: one for each pool of a divided cluster.

    Of a shared class, the rows of all shared classes there: who has one of them decides about the others. Always in one order,
    and before the instance's own row, so that nobody waits for each other.
    """
    alike = Q(gpu_class__sharing=gpu_class.sharing) if is_shared(gpu_class) else Q(gpu_class=gpu_class)
    rows = Capacity.objects.select_for_update(of=("self",)).filter(alike, cluster_id__in=cluster_ids).order_by("pk")
    return [row for row in rows.select_related("cluster") if row.gpu_class_id == gpu_class.pk]


def lock_shared_slots(cluster_id: int, gpu_class: GpuClass) -> None:
    """Lock the slots of a shared class before anything is read of who uses them; other classes need no lock to be asked for."""
    if is_shared(gpu_class):
        lock_slots({cluster_id}, gpu_class)


def others_hold(*, tenant_id: int, cluster_id: int, gpu_class: GpuClass) -> bool:
    """Tell whether another tenant's workload may be on these cards now. Under `lock_slots`."""
    return is_shared(gpu_class) and _shared_with(tenant_id, cluster_id).filter(state__in=HOLDS_GPU).exists()


def others_want_or_hold(*, tenant_id: int, cluster_id: int, gpu_class: GpuClass) -> bool:
    """Tell whether another tenant is on these cards or will be without asking again. Under `lock_slots`."""
    if not is_shared(gpu_class):
        return False
    others = _shared_with(tenant_id, cluster_id)
    return others.counted().exists() or others.filter(state__in=HOLDS_GPU).exists()


def clusters_shared_by_others(tenant_id: int) -> set[int]:
    """Return the clusters whose shared GPUs other tenants use or wait for, for pages alone: nothing is locked."""
    shared = Instance.objects.filter(gpu_class__sharing=GpuClass.Sharing.TIME_SLICING).exclude(tenant_id=tenant_id)
    wanted = shared.counted().order_by().values_list("cluster_id", flat=True)
    return set(wanted.union(shared.filter(state__in=HOLDS_GPU).order_by().values_list("cluster_id", flat=True)))


def _shared_with(tenant_id: int, cluster_id: int) -> InstanceQuerySet:
    shared = Instance.objects.filter(cluster_id=cluster_id, gpu_class__sharing=GpuClass.Sharing.TIME_SLICING)
    return shared.exclude(tenant_id=tenant_id)
