"""A tenant's running or stopped engine version: the wish, what was seen, and every transition between."""

import uuid
from datetime import datetime, timedelta
from typing import Any, Self

from django.db import models, transaction
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from engines.clusters.base import WorkloadRef
from engines.clusters.names import new_slug, volume_name, workload_name
from engines.errors import IllegalTransition, StaleState
from engines.models.catalog import Cluster, Placement
from engines.models.run import TAG_LENGTH
from engines.reasons import EXPLANATIONS, RELEASES, Explanation, Reason
from engines.states import HOLDS_GPU, PHASE_LIMIT_SECONDS, TRANSITIONS, DesiredState, InstanceState
from tenants.models import Membership, User, open_for_work

NAME_LENGTH = 60


def _choices(states: type[DesiredState] | type[InstanceState]) -> list[tuple[str, str]]:
    return [(state.value, state.value) for state in states]


_GIVEN_UP = models.Q(state=InstanceState.FAILED, settled_generation__gte=models.F("generation"))
COUNTED = models.Q(desired_state=DesiredState.RUNNING) & ~(_GIVEN_UP | models.Q(state=InstanceState.DELETED))
"""What counts as running against limits: what runs, or will without anybody asking again."""


class InstanceQuerySet(models.QuerySet["Instance"]):
    """Domain names for common filters."""

    def visible_to(self, membership: Membership) -> Self:
        """Instances that a member sees: all of the tenant's that are not deleted."""
        return self.filter(tenant_id=membership.tenant_id).exclude(state=InstanceState.DELETED)

    def counted(self) -> Self:
        """Instances that count as running against limits."""
        return self.filter(COUNTED)

    def placed(self, *, cluster_id: int, gpu_class_id: int, pool: str) -> Self:
        """Instances whose slots of this class count there: one that was placed before its cluster was divided counts in every
        pool, and in a cluster that is not divided any more all count."""
        there = self.filter(cluster_id=cluster_id, gpu_class_id=gpu_class_id)
        return there.filter(pool__in=["", pool]) if pool else there

    def holding(self, *, cluster_id: int, gpu_class_id: int, pool: str) -> Self:
        """Instances whose slot of this class is taken there."""
        return self.placed(cluster_id=cluster_id, gpu_class_id=gpu_class_id, pool=pool).filter(state__in=HOLDS_GPU)

    def in_line(self) -> Self:
        """Instances that wait for a slot and may be given one; those of tenants that stand still keep nobody waiting."""
        return self.filter(open_for_work("tenant__"), state=InstanceState.QUEUED, desired_state=DesiredState.RUNNING)

    def ahead_of(self, instance: "Instance") -> Self:
        """Instances that will be given a slot of this one's class before it, where it waits."""
        earlier = models.Q(queued_at__lt=instance.queued_at) | models.Q(queued_at=instance.queued_at, pk__lt=instance.pk)
        return self.in_line().placed(**instance.placement).filter(earlier)


class Instance(models.Model):
    """People write the wish through operations; only the reconciler calls `move_to`, and nothing else writes `state`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # The public name: in the portal's addresses, the engine's host and the workload's name. Never reused.
    slug = models.CharField(_("slug"), max_length=20, unique=True, default=new_slug, editable=False)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="instances", verbose_name=_("tenant"))
    owner = models.ForeignKey("tenants.User", on_delete=models.PROTECT, related_name="instances", verbose_name=_("owner"))
    name = models.CharField(_("name"), max_length=NAME_LENGTH)
    engine_version = models.ForeignKey(
        "engines.EngineVersion", on_delete=models.PROTECT, related_name="instances", verbose_name=_("engine version")
    )
    gpu_class = models.ForeignKey(
        "engines.GpuClass", on_delete=models.PROTECT, related_name="instances", verbose_name=_("GPU class")
    )
    cluster = models.ForeignKey("engines.Cluster", on_delete=models.PROTECT, related_name="instances", verbose_name=_("cluster"))
    # Which of its cluster's nodes it runs on or waits for; empty where they are not divided.
    pool = models.CharField(_("pool"), max_length=6, choices=Cluster.Location.choices, blank=True, default="")
    volume = models.ForeignKey("engines.Volume", on_delete=models.PROTECT, related_name="instances", verbose_name=_("volume"))
    # What its costs are for, since the last TagChange.
    tag = models.CharField(_("tag"), max_length=TAG_LENGTH, blank=True, default="", help_text=_("Project or campaign."))

    desired_state = models.CharField(
        _("desired state"), max_length=12, choices=_choices(DesiredState), default=DesiredState.RUNNING
    )
    generation = models.PositiveIntegerField(default=1, help_text=_("Counts wishes."))
    wish_reason = models.CharField(_("why it was asked"), max_length=30, blank=True)
    restart_generation = models.PositiveIntegerField(default=0, help_text=_("A workload older than this is replaced."))
    state = models.CharField(_("state"), max_length=12, choices=_choices(InstanceState), default=InstanceState.QUEUED)
    applied_generation = models.PositiveIntegerField(default=0, help_text=_("The wish that the current workload came from."))
    settled_generation = models.PositiveIntegerField(default=0, help_text=_("The wish that ended in failure, if it did."))
    # Reasons are a closed vocabulary in code (engines.reasons); a new one needs no migration.
    reason = models.CharField(_("reason"), max_length=30, blank=True)
    evidence = models.TextField(_("evidence"), blank=True)
    state_since = models.DateTimeField(_("state since"), default=timezone.now)
    deadline_at = models.DateTimeField(_("deadline"), null=True, blank=True)
    queued_at = models.DateTimeField(_("queued at"), default=timezone.now)

    run_id = models.CharField(_("run"), max_length=100, blank=True)
    upstream = models.CharField(_("upstream"), max_length=200, blank=True)
    ready_at = models.DateTimeField(_("ready at"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    deleted_at = models.DateTimeField(_("deleted at"), null=True, blank=True)
    stray_since = models.DateTimeField(
        _("stray since"), null=True, blank=True, help_text=_("Deleted, and yet the cluster has something of it since.")
    )

    objects = InstanceQuerySet.as_manager()

    class Meta:
        verbose_name = _("instance")
        verbose_name_plural = _("instances")
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["tenant", "state"]),
            models.Index(fields=["cluster", "gpu_class", "state"], name="slots_in_use"),
            models.Index(fields=["deadline_at"], condition=models.Q(deadline_at__isnull=False), name="due_deadlines"),
            models.Index(fields=["stray_since"], condition=models.Q(stray_since__isnull=False), name="strays"),
        ]
        constraints = [
            models.UniqueConstraint(
                "tenant", Lower("name"), name="instance_name_unique_in_tenant", condition=~models.Q(state="deleted")
            ),
            models.UniqueConstraint("volume", name="volume_in_one_instance", condition=~models.Q(state="deleted")),
            models.UniqueConstraint(fields=["id", "tenant"], name="instance_of_tenant"),  # what shares refer to
            models.CheckConstraint(condition=models.Q(state__in=list(InstanceState)), name="instance_state_known"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def workload(self) -> WorkloadRef:
        """What runs for it in the cluster; reads the volume."""
        return WorkloadRef(workload_name(self.slug), self.volume.namespace, volume_name(self.volume.slug))

    @property
    def placement(self) -> Placement:
        """Where its slot is, or will be."""
        return {"cluster_id": self.cluster_id, "gpu_class_id": self.gpu_class_id, "pool": self.pool}

    @property
    def explanation(self) -> Explanation | None:
        """Why it is in its state, for people: of one that was released, why."""
        reason = self.released_because or self.reason
        return EXPLANATIONS[Reason(reason)] if reason else None

    @property
    def released_because(self) -> Reason | None:
        """Why it rests, if nobody asked it to."""
        rests = self.state == InstanceState.STOPPED and self.desired_state == DesiredState.STOPPED
        return Reason(self.wish_reason) if rests and self.wish_reason in RELEASES else None

    @property
    def restart_due(self) -> bool:
        """The current workload came from an older wish than one for a fresh run."""
        return self.applied_generation < self.restart_generation

    @property
    def retry_due(self) -> bool:
        """Somebody wished again since the instance failed."""
        return self.settled_generation < self.generation

    @property
    def failed_generation(self) -> int:
        """The wish that fails if the workload fails now: a wish for a fresh run is not touched by the old one's end."""
        return self.applied_generation if self.restart_due else self.generation

    @property
    def counts(self) -> bool:
        """Whether it counts as running against limits; COUNTED is the same in SQL."""
        given_up = self.state == InstanceState.FAILED and not self.retry_due
        return self.desired_state == DesiredState.RUNNING and self.state != InstanceState.DELETED and not given_up

    @property
    def stop_epoch(self) -> int:
        """The newest epoch that must not run any more when the current workload is stopped."""
        return self.applied_generation if self.desired_state == DesiredState.RUNNING else self.generation

    def move_to(self, state: InstanceState, *, reason: Reason, evidence: str = "", **seen: object) -> "InstanceEvent":
        """Make one transition and log it, together with what was `seen` (other columns). No other code writes `state`.

        Compare-and-swap on the state and wish that were read: StaleState if somebody else was first.
        """
        if state not in TRANSITIONS[self.state]:
            raise IllegalTransition(f"{self.slug}: {self.state} → {state}")
        now = timezone.now()
        changes: dict[str, Any] = {
            "state": state,
            "reason": reason,
            "evidence": evidence,
            "state_since": now,
            "deadline_at": self._deadline(state, now),
            **seen,
        }
        with transaction.atomic():
            unmoved = Instance.objects.filter(pk=self.pk, state=self.state, generation=self.generation)
            if not unmoved.update(**changes):
                raise StaleState(f"{self.slug} is no longer {self.state} at wish {self.generation}")
            event = self.events.create(
                kind=InstanceEvent.Kind.TRANSITION,
                at=now,
                old_state=self.state,
                new_state=state,
                reason=reason,
                evidence=evidence,
                generation=self.generation,
                run_id=changes.get("run_id", self.run_id),
            )
        for field, value in changes.items():
            setattr(self, field, value)
        return event

    def log(
        self, kind: str, reason: Reason, *, by: User | None = None, evidence: str = "", generation: int | None = None
    ) -> "InstanceEvent":
        """Append a wish or a note. `by`: None is the portal itself; `generation`: of another wish than the present one."""
        return self.events.create(
            kind=kind,
            at=timezone.now(),
            actor=by,
            reason=reason,
            evidence=evidence,
            generation=self.generation if generation is None else generation,
            run_id=self.run_id,
        )

    def _deadline(self, state: InstanceState, now: datetime) -> datetime | None:
        limits = PHASE_LIMIT_SECONDS | {InstanceState.STARTING: self.engine_version.startup_limit_seconds}
        return now + timedelta(seconds=limits[state]) if state in limits else None


class InstanceEvent(models.Model):
    """One wish or transition of an instance. Append-only: a database trigger refuses changes."""

    class Kind(models.TextChoices):
        WISH = "wish", _("wish")
        TRANSITION = "transition", _("transition")
        NOTE = "note", _("note")

    instance = models.ForeignKey(Instance, on_delete=models.PROTECT, related_name="events", verbose_name=_("instance"))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    at = models.DateTimeField(_("at"))
    # None: the portal itself.
    actor = models.ForeignKey(
        "tenants.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("actor")
    )
    old_state = models.CharField(_("old state"), max_length=12, blank=True)
    new_state = models.CharField(_("new state"), max_length=12, blank=True)
    reason = models.CharField(_("reason"), max_length=30)
    evidence = models.TextField(_("evidence"), blank=True)
    generation = models.PositiveIntegerField()
    run_id = models.CharField(_("run"), max_length=100, blank=True)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["pk"]
        indexes = [models.Index(fields=["instance", "at"])]

    def __str__(self) -> str:
        return f"{self.instance}: {self.reason}"

    @property
    def explanation(self) -> Explanation:
        """What happened, for people."""
        return EXPLANATIONS[Reason(self.reason)]
