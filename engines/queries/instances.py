"""Instances as one person sees them: rows with everything a template touches."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from engines.faces import Face, Group, Offer, face_of, offers_of
from engines.models import Instance
from tenants import access
from tenants.access import Action
from tenants.errors import NotVisible
from tenants.models import Membership


@dataclass(frozen=True)
class Rights:
    """What one person may do with one instance: all that a fragment depends on besides language and time zone."""

    operate: bool
    visit: bool
    costs: bool


@dataclass(frozen=True)
class InstanceRow:
    """An instance as one person sees it."""

    instance: Instance
    rights: Rights

    @property
    def face(self) -> Face:
        return face_of(self.instance)

    @property
    def offers(self) -> frozenset[Offer]:
        """What the person is offered: what makes sense now and is theirs to do."""
        offers = offers_of(self.instance) if self.rights.operate else offers_of(self.instance) & {Offer.OPEN}
        return offers if self.rights.visit else offers - {Offer.OPEN}

    @property
    def matters(self) -> bool:
        """Whether the reason is worth a sentence: something is wrong, or somebody has to wait."""
        explanation = self.instance.explanation
        return explanation is not None and explanation.fixer != "nobody"


def rights_in(membership: Membership, *, owner_id: int) -> Rights:
    """Return what the member may do with an instance of this owner."""
    return Rights(
        operate=access.may_operate(membership, owner_id=owner_id),
        visit=access.may(membership, Action.VISIT),
        costs=owner_id == membership.user_id or access.may(membership, Action.SEE_COSTS),
    )


def with_details(instances: QuerySet[Instance]) -> QuerySet[Instance]:
    """Join what rows and pages show."""
    return instances.select_related("engine_version__engine", "gpu_class", "cluster", "owner", "tenant", "volume")


def instance_rows(membership: Membership, *, group: Group | None = None) -> list[InstanceRow]:
    """Return the tenant's instances, the member's own first, then the newest; one query."""
    instances = list(with_details(Instance.objects.visible_to(membership)))
    instances.sort(key=lambda instance: instance.owner_id != membership.user_id)
    rows = [InstanceRow(instance, rights_in(membership, owner_id=instance.owner_id)) for instance in instances]
    return [row for row in rows if group is None or row.face.group == group]


def group_counts(rows: Iterable[InstanceRow]) -> dict[Group, int]:
    """Count rows per filter, empty filters included."""
    counts = Counter(row.face.group for row in rows)
    return {group: counts[group] for group in Group}


def instance_in(membership: Membership, slug: str) -> InstanceRow:
    """Return one instance of the member's tenant; NotVisible for strangers', deleted and unknown ones alike."""
    instance = with_details(Instance.objects.visible_to(membership)).filter(slug=slug).first()
    if instance is None:
        raise NotVisible(_("There is nothing here, or it is not yours."))
    return InstanceRow(instance, rights_in(membership, owner_id=instance.owner_id))
