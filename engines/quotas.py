"""What is used, what may be used, and whether a change fits: the one function that forms and operations ask.

A change is what it adds and takes away. A limit refuses what would raise its use above it, and nothing else: where it was lowered
below what runs, everything goes on, and what takes no more of it stays possible. Whether there is room is only certain while the
tenant is locked (`engines.operations.locks.lock_tenant`); forms ask without.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from engines.amounts import Amount, used_in
from engines.models import GpuClass
from tenants.models import Membership, Tenant, User
from tenants.quotas.ceilings import Ceilings
from tenants.quotas.measures import Measure, Scope, shown
from tenants.quotas.models import Quota
from tenants.quotas.refusal import LimitReached

_OF_CLASS: Mapping[str, Promise] = {
    Measure.RUNNING: gettext_lazy(
        "This would exceed the limit of %(limit)s running instances on %(gpu_class)s for %(whom)s: "
        "%(used)s in use, %(more)s more needed."
    ),
    Measure.GPUS: gettext_lazy(
        "This would exceed the limit of %(limit)s GPUs on %(gpu_class)s for %(whom)s: %(used)s in use, %(more)s more needed."
    ),
    Measure.INSTANCES: gettext_lazy(
        "This would exceed the limit of %(limit)s instances on %(gpu_class)s for %(whom)s: %(used)s exist, %(more)s more needed."
    ),
}
_OF_ALL: Mapping[str, Promise] = {
    Measure.RUNNING: gettext_lazy(
        "This would exceed the limit of %(limit)s running instances for %(whom)s: %(used)s in use, %(more)s more needed."
    ),
    Measure.GPUS: gettext_lazy(
        "This would exceed the limit of %(limit)s GPUs for %(whom)s: %(used)s in use, %(more)s more needed."
    ),
    Measure.INSTANCES: gettext_lazy(
        "This would exceed the limit of %(limit)s instances for %(whom)s: %(used)s exist, %(more)s more needed."
    ),
    Measure.STORAGE: gettext_lazy(
        "This would exceed the limit of %(limit)s GiB of storage for %(whom)s: "
        "%(used)s GiB exist, trash included, %(more)s GiB more needed."
    ),
}


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so much. `owner_id`: of one person; None: of the whole tenant. `by_operator`: only operators can raise it."""

    measure: str
    limit: int
    by_operator: bool
    gpu_class: GpuClass | None = None
    owner_id: int | None = None
    quota: Quota | None = None  # None: a default, or what the class allows every tenant

    @property
    def scope(self) -> Scope:
        """What somebody who wants more asks for."""
        return Scope(self.measure, self.gpu_class.pk if self.gpu_class else None, user_id=self.owner_id)

    @property
    def concerns_class(self) -> bool:
        """Whether another GPU class may be within it where one is not."""
        return self.gpu_class is not None or self.measure == Measure.GPUS

    def counts(self, amount: Amount) -> int:
        """Return how much of the amount falls under it."""
        other_person = self.owner_id is not None and amount.owner_id != self.owner_id
        other_class = self.gpu_class is not None and amount.gpu_class_id != self.gpu_class.pk
        return 0 if other_person or other_class else amount.of.get(self.measure, 0)


@dataclass(frozen=True, slots=True)
class Use:
    """How much of a limit is used, and what a change would add: nothing where none is meant."""

    limit: Limit
    used: int
    added: int = 0

    @property
    def exceeded(self) -> bool:
        """Whether the change is refused."""
        return self.added > 0 and self.used + self.added > self.limit.limit

    @property
    def full(self) -> bool:
        return self.used >= self.limit.limit

    @property
    def left(self) -> int:
        return self.limit.limit - self.used

    @property
    def near(self) -> bool:
        """Whether it is nearly or wholly used, which is worth a colour."""
        return self.used * 10 >= self.limit.limit * 9

    @property
    def measure(self) -> Measure:
        return Measure(self.limit.measure)

    @property
    def bar_max(self) -> int:
        """A limit of nothing is drawn as full."""
        return max(self.limit.limit, 1)

    @property
    def bar_value(self) -> int:
        return min(self.used, self.limit.limit) if self.limit.limit else 1

    @property
    def used_shown(self) -> str:
        return shown(self.limit.measure, self.used)

    @property
    def limit_shown(self) -> str:
        return shown(self.limit.measure, self.limit.limit)


@dataclass(frozen=True, slots=True)
class Standing:
    """The limits that hold for one person in one tenant, and what is used: one consistent look, by `standing_of`."""

    tenant: Tenant
    owner: User
    quotas: Sequence[Quota]
    used: Sequence[Amount]

    def uses(self, *change: Amount, classes: Iterable[GpuClass] = ()) -> list[Use]:
        """Return every limit with its use: the person's, then the tenant's own, then the operators'.

        `classes`: those whose limit for every tenant counts, besides limits that were set.
        """
        return [Use(limit, sum(map(limit.counts, self.used)), sum(map(limit.counts, change))) for limit in self._limits(classes)]

    def shortage(self, *change: Amount, classes: Iterable[GpuClass]) -> Use | None:
        """Return the first limit that refuses the change, which concerns these classes."""
        return next((use for use in self.uses(*change, classes=classes) if use.exceeded), None)

    def require(self, *change: Amount, classes: Iterable[GpuClass]) -> None:
        """Refuse with LimitReached what exceeds a limit."""
        found = self.shortage(*change, classes=classes)
        if found:
            raise self.refusal(found)

    def refusal(self, use: Use) -> LimitReached:
        """Return what is raised for it."""
        return LimitReached(self.sentence(use), scope=use.limit.scope, tenant_slug=self.tenant.slug)

    def sentence(self, use: Use) -> str:
        """Say which limit is in the way, how much of it is used, and who can raise it."""
        limit = use.limit
        names = {
            "limit": use.limit_shown,
            "used": use.used_shown,
            "more": shown(limit.measure, use.added),
            "whom": self.tenant if limit.owner_id is None else self.owner,
            "tenant": self.tenant,
            "gpu_class": limit.gpu_class,
        }
        which = str((_OF_CLASS if limit.gpu_class else _OF_ALL)[limit.measure]) % names
        who = (
            _("Only operators can raise it.") if limit.by_operator else _("An owner or admin of %(tenant)s can raise it.") % names
        )
        return f"{which} {who}"

    def _limits(self, classes: Iterable[GpuClass]) -> Iterator[Limit]:
        yield from self._personal()
        for each in self.quotas:
            if each.author == Quota.Author.TENANT and each.scope.whole_tenant and each.limit is not None:
                yield Limit(each.measure, each.limit, by_operator=False, gpu_class=each.gpu_class, quota=each)
        ceilings = Ceilings.among(self.quotas)
        for measure in Measure.values:
            most = ceilings.general(measure)
            if most is not None:
                yield Limit(measure, most, by_operator=True, quota=ceilings.rows.get((measure, None)))
        known = {each.gpu_class_id: each.gpu_class for each in ceilings.rows.values() if each.gpu_class}
        for gpu_class in (known | {each.pk: each for each in classes}).values():
            for measure in Measure.values:
                most = ceilings.of_class(measure, gpu_class.pk, max_per_tenant=gpu_class.max_per_tenant)
                if most is not None:
                    row = ceilings.rows.get((measure, gpu_class.pk))
                    yield Limit(measure, most, by_operator=True, gpu_class=gpu_class, quota=row)

    def _personal(self) -> Iterator[Limit]:
        """A person's own limit takes the place of that of their role."""
        own = [each for each in self.quotas if each.user_id is not None]
        replaced = {(each.measure, each.gpu_class_id) for each in own}
        of_role = [each for each in self.quotas if each.role and (each.measure, each.gpu_class_id) not in replaced]
        for each in own + of_role:
            if each.limit is not None:
                yield Limit(
                    each.measure, each.limit, by_operator=False, gpu_class=each.gpu_class, owner_id=self.owner.pk, quota=each
                )


def standing_of(tenant: Tenant, owner: User) -> Standing:
    """Look at the limits of a person, and at what they and the whole tenant use; two queries."""
    role = Membership.objects.filter(tenant=tenant, user=owner).values("role")
    concerned = Q(user=None, role="") | Q(user=owner) | Q(role__in=role)
    quotas = tenant.quotas.filter(concerned).select_related("gpu_class", "set_by")
    return Standing(tenant, owner, list(quotas), used_in(tenant, owner))
