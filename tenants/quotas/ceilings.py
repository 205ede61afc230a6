"""What operators let a whole tenant have: the rows that they set, and the defaults of what they did not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tenants.models import Tenant
from tenants.quotas.measures import DEFAULT_CEILINGS, Measure
from tenants.quotas.models import Quota


@dataclass(frozen=True, slots=True)
class Ceilings:
    """The operators' rows of one tenant by measure and GPU class; a row may say that there is no limit."""

    rows: Mapping[tuple[str, int | None], Quota]

    @classmethod
    def among(cls, quotas: Iterable[Quota]) -> "Ceilings":
        """Find them among the tenant's quotas."""
        set_ = (each for each in quotas if each.author == Quota.Author.OPERATOR)
        return cls({(each.measure, each.gpu_class_id): each for each in set_})

    def general(self, measure: str) -> int | None:
        """Return the limit of all classes together; None for none."""
        row = self.rows.get((measure, None))
        return row.limit if row else DEFAULT_CEILINGS.get(measure)

    def of_class(self, measure: str, gpu_class_id: int, *, max_per_tenant: int | None) -> int | None:
        """Return the limit of one class; what the class itself allows each tenant holds where nothing was set for this one."""
        row = self.rows.get((measure, gpu_class_id))
        if row:
            return row.limit
        return max_per_tenant if measure == Measure.RUNNING else None


def ceilings_over(tenant: Tenant, measure: str, gpu_class_id: int | None) -> dict[int | None, int]:
    """Return what operators let the tenant have: of all classes together (None), and of this one. Two queries at most."""
    ceilings = Ceilings.among(tenant.quotas.filter(author=Quota.Author.OPERATOR))
    found: dict[int | None, int | None] = {None: ceilings.general(measure)}
    if gpu_class_id is not None:
        gpu_class = Quota(gpu_class_id=gpu_class_id).gpu_class
        assert gpu_class is not None  # noqa: S101 - for the type checker
        found[gpu_class_id] = ceilings.of_class(measure, gpu_class_id, max_per_tenant=gpu_class.max_per_tenant)
    return {key: limit for key, limit in found.items() if limit is not None}


def lowest_ceiling(tenant: Tenant, measure: str, gpu_class_id: int | None) -> int | None:
    """Return the most that anybody in the tenant can have of it; None where there is no limit."""
    return min(ceilings_over(tenant, measure, gpu_class_id).values(), default=None)
