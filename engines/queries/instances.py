"""Instances as one person sees them: rows with everything a template touches."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from engines.faces import FOR_GUESTS, Face, Group, Offer, face_of, offers_of
from engines.models import Instance
from engines.queries.idle import Answer, why_on
from engines.rights import Rights, rights_of
from tenants.errors import NotVisible
from tenants.models import Membership


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
        offers = offers_of(self.instance)
        if self.rights.operate:
            return offers if self.rights.visit else offers - {Offer.OPEN}
        return offers & FOR_GUESTS if self.rights.visit else frozenset()

    @property
    def stay(self) -> Answer | None:
        """Why a running one is on, and until when."""
        return why_on(self.instance)

    @property
    def matters(self) -> bool:
        """Whether the reason is worth a sentence: something is wrong, somebody has to wait, or it stopped unasked."""
        explanation = self.instance.explanation
        return bool(self.instance.released_because) or (explanation is not None and explanation.fixer != "nobody")


def with_details(instances: QuerySet[Instance]) -> QuerySet[Instance]:
    """Join what rows and pages show."""
    return instances.select_related("engine_version__engine", "gpu_class", "cluster", "owner", "tenant", "volume", "use")


def instance_rows(membership: Membership, *, group: Group | None = None) -> list[InstanceRow]:
    """Return the tenant's instances, the member's own first, then those shared with them, each newest first; two queries."""
    instances = list(with_details(Instance.objects.visible_to(membership)))
    rights = rights_of(membership, instances)
    rows = [InstanceRow(instance, rights[instance.pk]) for instance in instances]
    rows.sort(key=lambda row: (row.instance.owner_id != membership.user_id, not row.rights.guest))
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
    return InstanceRow(instance, rights_of(membership, [instance])[instance.pk])
