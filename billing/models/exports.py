"""Files of costs that somebody asked for, and how far each is."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.exports.formats import Basis, Detail, Format
from tenants.notifications.models import new_slug


class ExportJob(models.Model):
    """One file. Only `exports.jobs` writes `state`; whoever holds the `lease` works at it, for as long as it is renewed.

    What the file has is fixed when it is asked for: lines of these days, posted up to `as_of`, which no later posting changes.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        RUNNING = "running", _("being written")
        DONE = "done", _("ready")
        FAILED = "failed", _("failed")
        EXPIRED = "expired", _("deleted")

    UNFINISHED = (State.WAITING, State.RUNNING)

    slug = models.CharField(_("slug"), max_length=20, unique=True, default=new_slug, editable=False)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="exports", verbose_name=_("tenant"))
    # None: the portal itself, for the report of `report_of`.
    asked_by = models.ForeignKey(
        "tenants.User", on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("asked for by")
    )
    report_of = models.OneToOneField(
        "billing.BillingPeriod", on_delete=models.CASCADE, null=True, related_name="report", verbose_name=_("report of")
    )
    format = models.CharField(_("format"), max_length=10, choices=Format.choices)
    basis = models.CharField(
        _("days are those"), max_length=7, choices=[(each.value, each.value) for each in Basis], default=Basis.USAGE.value
    )
    detail = models.CharField(
        _("detail"), max_length=6, choices=[(each.value, each.value) for each in Detail], default=Detail.NET.value
    )
    first_day = models.DateField(_("first day"))
    last_day = models.DateField(_("last day"))
    filter = models.CharField(_("filter"), max_length=2000, blank=True)
    as_of = models.DateTimeField(_("as of"))

    state = models.CharField(_("state"), max_length=7, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    lease = models.UUIDField(null=True, editable=False)
    leased_until = models.DateTimeField(null=True, editable=False)
    lines_total = models.PositiveIntegerField(_("lines to read"), null=True)
    lines_done = models.PositiveIntegerField(_("lines read"), default=0)

    row_count = models.PositiveIntegerField(_("rows"), default=0)
    # [{"currency": "USD", "net": "12.500000000", "list": "14.000000000"}], as decimal numbers in text
    sums = models.JSONField(_("sums"), default=list)
    file_name = models.CharField(max_length=100, blank=True, editable=False)
    size_bytes = models.BigIntegerField(_("size in bytes"), default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(_("asked for at"), default=timezone.now)
    finished_at = models.DateTimeField(_("finished at"), null=True)
    expires_at = models.DateTimeField(_("kept until"), null=True)

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(fields=["tenant", "-created_at"], name="exports_of_tenant"),
            models.Index(fields=["state"], condition=Q(state__in=["waiting", "running"]), name="exports_unfinished"),
            models.Index(fields=["expires_at"], condition=Q(state="done"), name="exports_by_expiry"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(last_day__gte=models.F("first_day")), name="export_ends_later"),
            models.CheckConstraint(
                condition=Q(state="running", lease__isnull=False, leased_until__isnull=False)
                | (~Q(state="running") & Q(lease=None, leased_until=None)),
                name="export_leased_while_running",
            ),
            models.CheckConstraint(
                condition=~Q(state="done") | (~Q(sha256="") & ~Q(file_name="") & Q(expires_at__isnull=False)),
                name="export_done_with_file",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tenant} {self.download_name}"

    @property
    def format_(self) -> Format:
        """The format as what it is."""
        return Format(self.format)

    @property
    def download_name(self) -> str:
        """What the file is called on somebody's disk."""
        kind = "" if self.format == self.format_.ending else f"-{self.format}"
        return f"costs-{self.tenant.slug}-{self.first_day:%Y%m%d}-{self.last_day:%Y%m%d}{kind}.{self.format_.ending}"

    @property
    def percent(self) -> int | None:
        """How much of the books is read; None before their lines are counted."""
        return None if self.lines_total is None else 100 * self.lines_done // max(self.lines_total, 1)

    @property
    def is_unfinished(self) -> bool:
        return self.state in self.UNFINISHED
