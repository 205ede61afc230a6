"""What pages show of limits: every one with its use, whom it concerns, and what was asked for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Prefetch, QuerySet

from engines.amounts import Amount, run_of, used_in
from engines.models import GpuClass, Instance
from engines.quotas import Limit, Standing, Use, standing_of
from tenants import access
from tenants.access import Action
from tenants.models import Membership, Role, Tenant, User
from tenants.quotas.measures import Measure, shown
from tenants.quotas.models import Quota, QuotaRequest, QuotaRequestStep
from tenants.quotas.refusal import told

CLOSED_SHOWN = 20


@dataclass(frozen=True)
class PersonRow:
    """One person with what they use of each measure; `role` is None for somebody who has left engines or data behind."""

    user: User
    role: str | None
    cells: Sequence["Cell"]


@dataclass(frozen=True)
class Cell:
    """How much one person uses of a measure, and their limit: `use` is None where they have none."""

    measure: Measure
    used: str
    use: Use | None


@dataclass(frozen=True)
class SetLimit:
    """A limit that the tenant has set: itself, and whom it is for."""

    quota: Quota
    limit: str
    role: Role | None


def all_uses(standing: Standing) -> list[Use]:
    """Return every limit that concerns the person, those included that classes of some cluster give every tenant. One query.

    Of all classes together first, then class by class.
    """
    offered = GpuClass.objects.filter(hidden=False, max_per_tenant__isnull=False, capacities__slots__gt=0).distinct()
    order = {measure: place for place, measure in enumerate(Measure.values)}

    def place(use: Use) -> tuple[str, int]:
        return (use.limit.gpu_class.name if use.limit.gpu_class else "", order[use.limit.measure])

    return sorted(standing.uses(classes=offered), key=place)


def tightest(uses: Iterable[Use]) -> list[Use]:
    """Return, of each measure that would be added to, the limit that leaves least."""
    found: dict[str, Use] = {}
    for use in uses:
        other = found.get(use.limit.measure)
        if use.added and (other is None or use.left < other.left):
            found[use.limit.measure] = use
    return [found[measure] for measure in Measure.values if measure in found]


def people_of(tenant: Tenant) -> list[PersonRow]:
    """Return the members by name, then those who have left; four queries at most."""
    amounts = used_in(tenant)
    quotas = list(tenant.quotas.filter(author=Quota.Author.TENANT, gpu_class=None))
    members = {each.user_id: each for each in tenant.memberships.select_related("user").order_by("user__username")}
    left = User.objects.filter(pk__in={each.owner_id for each in amounts if each.owner_id} - members.keys()).order_by("username")
    rows = [
        PersonRow(each.user, each.get_role_display(), _cells(each.user, each.role, quotas, amounts)) for each in members.values()
    ]
    return rows + [PersonRow(each, None, _cells(each, "", quotas, amounts)) for each in left]


def _cells(user: User, role: str, quotas: Sequence[Quota], amounts: Sequence[Amount]) -> list[Cell]:
    return [_cell(user, role, Measure(measure), quotas, amounts) for measure in Measure.values]


def _cell(user: User, role: str, measure: Measure, quotas: Sequence[Quota], amounts: Sequence[Amount]) -> Cell:
    used = sum(each.of[measure] for each in amounts if each.owner_id == user.pk)
    of_measure = [each for each in quotas if each.measure == measure]
    own = [each for each in of_measure if each.user_id == user.pk] or [each for each in of_measure if role and each.role == role]
    limits = [Limit(measure, each.limit, by_operator=False, owner_id=user.pk) for each in own if each.limit is not None]
    return Cell(measure, shown(measure, used), Use(limits[0], used) if limits else None)


def limits_set(tenant: Tenant) -> list[SetLimit]:
    """Return what the tenant has set for itself, its roles and its people."""
    rows = tenant.quotas.filter(author=Quota.Author.TENANT).select_related("user", "gpu_class", "set_by")
    return [
        SetLimit(each, "" if each.limit is None else shown(each.measure, each.limit), Role(each.role) if each.role else None)
        for each in rows.order_by("user__username", "role", "measure", "pk")
    ]


def pending_requests(membership: Membership) -> QuerySet[QuotaRequest]:
    """Return the requests that wait, oldest first: everybody's for those who decide, one's own for others."""
    return requests_of(membership).filter(state__in=QuotaRequest.PENDING).order_by("created_at", "pk")


def closed_requests(membership: Membership) -> QuerySet[QuotaRequest]:
    """Return the newest of those that were decided or withdrawn, to the same people."""
    return requests_of(membership).exclude(state__in=QuotaRequest.PENDING)[:CLOSED_SHOWN]


def requests_of(membership: Membership) -> QuerySet[QuotaRequest]:
    """Return the requests that the member sees: everybody's for those who decide, one's own for others."""
    steps = Prefetch("steps", QuotaRequestStep.objects.select_related("by"))
    rows = QuotaRequest.objects.filter(tenant=membership.tenant_id).select_related("asker", "gpu_class").prefetch_related(steps)
    return rows if access.may(membership, Action.MANAGE_LIMITS) else rows.filter(asker=membership.user_id)


def limits_on(instance: Instance, *, reader: User) -> dict[str, object]:
    """Return the limits that the instance counts against when it runs, and what stands in the way if it rests. Two queries."""
    uses, shortage = _of_run(instance, reader)
    return {"uses": uses, "shortage": "" if instance.counts else shortage}


def shortage_of(instance: Instance, *, reader: User) -> str:
    """Say which limit keeps an instance that rests from running, with a link to ask for more; empty if none does."""
    return _of_run(instance, reader)[1]


def _of_run(instance: Instance, reader: User) -> tuple[list[Use], str]:
    standing = standing_of(instance.tenant, instance.owner)
    uses = standing.uses(run_of(instance.owner_id, instance.gpu_class), classes=[instance.gpu_class])
    exceeded = next((use for use in uses if use.exceeded), None)
    return tightest(uses), told(standing.refusal(exceeded), reader) if exceeded else ""
