"""Limits as rows, and the requests for higher ones. Each change of a limit is in the audit log."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tenants.quotas.measures import Measure, Scope

REASON_LENGTH = 500


class Quota(models.Model):
    """One limit. Operators set ceilings for whole tenants; owners and admins limit roles, people and GPU classes within."""

    class Author(models.TextChoices):
        OPERATOR = "operator", _("operator")
        TENANT = "tenant", _("tenant")

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="quotas", verbose_name=_("tenant"))
    author = models.CharField(_("set by"), max_length=8, choices=Author.choices, editable=False)
    # Both empty: the tenant as a whole.
    role = models.CharField(_("role"), max_length=10, blank=True, default="")
    user = models.ForeignKey(
        "tenants.User", on_delete=models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("person")
    )
    # None: all classes together.
    gpu_class = models.ForeignKey(
        "engines.GpuClass", on_delete=models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("GPU class")
    )
    measure = models.CharField(_("what"), max_length=10, choices=Measure.choices)
    # In the units of `Measure`. None: no limit, where a default or the role's would hold.
    limit = models.PositiveIntegerField(_("at most"), null=True, blank=True)
    set_by = models.ForeignKey(
        "tenants.User", on_delete=models.PROTECT, null=True, blank=True, editable=False, related_name="+", verbose_name=_("who")
    )
    set_at = models.DateTimeField(_("set at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("limit")
        verbose_name_plural = _("limits")
        ordering = ["measure", "pk"]
        constraints = [
            models.UniqueConstraint(
                "tenant", "author", "role", Coalesce("user", 0), Coalesce("gpu_class", 0), "measure", name="one_quota_per_scope"
            ),
            models.CheckConstraint(condition=Q(role="") | Q(user=None), name="quota_of_role_or_person"),
            models.CheckConstraint(condition=~Q(author="operator") | Q(role="", user=None), name="ceiling_of_whole_tenant"),
            models.CheckConstraint(condition=~Q(measure="storage") | Q(gpu_class=None), name="storage_has_no_gpu_class"),
            models.CheckConstraint(condition=Q(measure__in=Measure.values), name="quota_measure_known"),
        ]

    def __str__(self) -> str:
        return f"{self.tenant}: {self.get_measure_display()}"

    @property
    def scope(self) -> Scope:
        """What it is about."""
        return Scope(self.measure, self.gpu_class_id, self.role, self.user_id)


class QuotaRequest(models.Model):
    """Somebody asks for a higher limit. Never deleted, and not changed once it is decided: a database trigger sees to it."""

    class State(models.TextChoices):
        OPEN = "open", _("waits for an admin")
        PASSED_ON = "passed_on", _("waits for operators")
        APPROVED = "approved", _("approved")
        REFUSED = "refused", _("refused")
        WITHDRAWN = "withdrawn", _("withdrawn")

    PENDING = (State.OPEN, State.PASSED_ON)

    tenant = models.ForeignKey(
        "tenants.Tenant", on_delete=models.PROTECT, related_name="quota_requests", verbose_name=_("tenant")
    )
    asker = models.ForeignKey("tenants.User", on_delete=models.PROTECT, related_name="+", verbose_name=_("who asks"))
    whole_tenant = models.BooleanField(_("for everybody"), default=False)
    gpu_class = models.ForeignKey(
        "engines.GpuClass", on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("GPU class")
    )
    measure = models.CharField(_("what"), max_length=10, choices=Measure.choices)
    wanted = models.PositiveIntegerField(_("wanted"))
    granted = models.PositiveIntegerField(_("granted"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=REASON_LENGTH)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.OPEN)
    created_at = models.DateTimeField(_("asked at"), default=timezone.now)

    class Meta:
        verbose_name = _("request for a higher limit")
        verbose_name_plural = _("requests for higher limits")
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                "tenant",
                "asker",
                "whole_tenant",
                Coalesce("gpu_class", 0),
                "measure",
                name="one_open_request_per_limit",
                condition=Q(state__in=["open", "passed_on"]),
            ),
            models.CheckConstraint(condition=~Q(measure="storage") | Q(gpu_class=None), name="storage_request_has_no_class"),
        ]

    def __str__(self) -> str:
        return f"{self.asker} @ {self.tenant}: {self.get_measure_display()}"

    @property
    def scope(self) -> Scope:
        """The limit that it is about."""
        return Scope(self.measure, self.gpu_class_id, user_id=None if self.whole_tenant else self.asker_id)

    @property
    def title(self) -> str:
        """Name it as the audit log shows it."""
        parts = (self.measure, self.gpu_class, "" if self.whole_tenant else self.asker)
        return " · ".join(str(part) for part in parts if part)

    @property
    def pending(self) -> bool:
        return self.state in self.PENDING


class QuotaRequestStep(models.Model):
    """What became of a request, step by step. Append-only: a database trigger refuses changes."""

    class Kind(models.TextChoices):
        ASKED = "asked", _("asked")
        PASSED_ON = "passed_on", _("passed on to operators")
        APPROVED = "approved", _("approved")
        REFUSED = "refused", _("refused")
        WITHDRAWN = "withdrawn", _("withdrawn")

    request = models.ForeignKey(QuotaRequest, on_delete=models.PROTECT, related_name="steps", verbose_name=_("request"))
    kind = models.CharField(_("what"), max_length=10, choices=Kind.choices)
    by = models.ForeignKey("tenants.User", on_delete=models.PROTECT, related_name="+", verbose_name=_("who"))
    by_operator = models.BooleanField(_("as an operator"), default=False)
    at = models.DateTimeField(_("at"), default=timezone.now)
    amount = models.PositiveIntegerField(_("how much"), null=True, blank=True)
    word = models.CharField(_("word"), max_length=REASON_LENGTH, blank=True)

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.kind} {self.request}"
