"""How much of what is limited is used, and how much a launch or a run adds."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import BigIntegerField, Case, Count, F, IntegerField, Sum, Value, When
from django.db.models.functions import Coalesce

from engines.models import GpuClass, Volume
from engines.models.instance import COUNTED
from engines.states import InstanceState
from tenants.models import Tenant, User
from tenants.quotas.measures import Measure


@dataclass(frozen=True, slots=True)
class Amount:
    """So much of each measure, of one person and GPU class. `owner_id` None: of anybody else; `gpu_class_id` None: of none."""

    owner_id: int | None
    gpu_class_id: int | None
    of: Mapping[str, int]

    def __neg__(self) -> "Amount":
        return Amount(self.owner_id, self.gpu_class_id, {measure: -amount for measure, amount in self.of.items()})


def used_in(tenant: Tenant, owner: User | None = None) -> list[Amount]:
    """Return what is used, by person and GPU class; with an `owner`, theirs and that of all others. One query."""
    person = Case(When(owner=owner, then=F("owner_id")), default=None, output_field=BigIntegerField()) if owner else F("owner_id")
    columns = ("person", "of_class", *(f"{measure}_sum" for measure in Measure.values))
    nothing = Value(0, output_field=BigIntegerField())
    instances = tenant.instances.exclude(state=InstanceState.DELETED).order_by()
    counted = instances.values(person=person, of_class=F("gpu_class_id")).annotate(
        running_sum=Count("pk", filter=COUNTED),
        gpus_sum=Coalesce(Sum(gpu_millis_of("gpu_class__"), filter=COUNTED), 0, output_field=BigIntegerField()),
        instances_sum=Count("pk"),
        storage_sum=nothing,
    )
    volumes = tenant.volumes.exclude(state=Volume.State.DELETED).order_by()
    sized = volumes.values(person=person, of_class=Value(None, output_field=BigIntegerField())).annotate(
        running_sum=nothing,
        gpus_sum=nothing,
        instances_sum=nothing,
        storage_sum=Coalesce(Sum("size_gib"), 0, output_field=BigIntegerField()),
    )
    rows = counted.values_list(*columns).union(sized.values_list(*columns), all=True)
    return [Amount(row[0], row[1], dict(zip(Measure.values, row[2:], strict=True))) for row in rows]


def gpu_millis_of(prefix: str = "") -> Coalesce:
    """`GpuClass.gpu_millis` in SQL."""
    whole = {f"{prefix}sharing": GpuClass.Sharing.EXCLUSIVE}
    worked_out = Case(
        When(**{f"{prefix}vendor": GpuClass.Vendor.CPU}, then=Value(0)),
        When(**whole, then=1000 * F(f"{prefix}count")),
        default=Value(1000),
        output_field=IntegerField(),
    )
    return Coalesce(F(f"{prefix}part_millis"), worked_out, output_field=IntegerField())


def run_of(owner_id: int, gpu_class: GpuClass) -> Amount:
    """What an instance that rests adds by running."""
    return Amount(owner_id, gpu_class.pk, {Measure.RUNNING: 1, Measure.GPUS: gpu_class.gpu_millis})


def presence_of(owner_id: int, gpu_class: GpuClass, *, counted: bool, size_gib: int = 0) -> Amount:
    """What an instance takes: as one more, as a run if it is `counted` as one, and with `size_gib` of data."""
    run = run_of(owner_id, gpu_class).of if counted else {}
    return Amount(owner_id, gpu_class.pk, {Measure.INSTANCES: 1, Measure.STORAGE: size_gib, **run})


def launch_of(owner_id: int, gpu_class: GpuClass, *, size_gib: int) -> Amount:
    """What a launch adds; `size_gib`: of new data, 0 with data that exists."""
    return presence_of(owner_id, gpu_class, counted=True, size_gib=size_gib)
