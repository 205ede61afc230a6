"""What was charged."""

from datetime import timedelta

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.money import PLACES, Money


class Charge(models.Model):
    """One line of the books: at most one hour of one owner at one price. Append-only: a database trigger refuses changes.

    When facts or prices change, a line is taken back by a reversal (negative seconds and amount) and followed by a replacement,
    both under its `line_key` with the next revision.
    """

    class Kind(models.TextChoices):
        ORIGINAL = "original", _("original")
        REVERSAL = "reversal", _("reversal")
        REPLACEMENT = "replacement", _("replacement")

    line_key = models.UUIDField(_("line"))
    revision = models.PositiveSmallIntegerField(_("revision"), default=0)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices)
    instance = models.ForeignKey("engines.Instance", on_delete=models.PROTECT, related_name="charges", verbose_name=_("instance"))
    run_id = models.CharField(_("run"), max_length=100)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="+", verbose_name=_("tenant"))
    owner = models.ForeignKey("tenants.User", on_delete=models.PROTECT, related_name="+", verbose_name=_("owner"))
    gpu_class = models.ForeignKey("engines.GpuClass", on_delete=models.PROTECT, related_name="+", verbose_name=_("GPU class"))
    price = models.ForeignKey("billing.Price", on_delete=models.PROTECT, related_name="charges", verbose_name=_("price"))
    currency = models.CharField(_("currency"), max_length=3)
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"))
    seconds = models.SmallIntegerField(_("seconds"))
    per_hour = models.DecimalField(_("price per hour"), max_digits=20, decimal_places=PLACES)
    amount = models.DecimalField(_("amount"), max_digits=20, decimal_places=PLACES)
    posted_at = models.DateTimeField(_("posted at"))

    class Meta:
        verbose_name = _("charge")
        verbose_name_plural = _("charges")
        ordering = ["starts_at", "pk"]
        indexes = [
            models.Index(fields=["instance", "starts_at"]),
            models.Index(fields=["tenant", "starts_at"]),
        ]
        constraints = [
            models.UniqueConstraint(fields=["line_key", "revision", "kind"], name="charge_once"),
            models.CheckConstraint(
                condition=Q(kind="reversal", seconds__lt=0, amount__lte=0)
                | Q(kind__in=["original", "replacement"], seconds__gt=0, amount__gte=0),
                name="charge_sign",
            ),
            models.CheckConstraint(
                condition=Q(kind="original", revision=0) | Q(kind__in=["reversal", "replacement"], revision__gt=0),
                name="charge_revision",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at"), ends_at__lte=F("starts_at") + timedelta(hours=1)),
                name="charge_within_an_hour",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.starts_at:%F %T} {self.money.exact}"

    @property
    def money(self) -> Money:
        """The amount, with its currency."""
        return Money(self.amount, self.currency)

    @property
    def unit_price(self) -> Money:
        """The price of one hour that was applied."""
        return Money(self.per_hour, self.currency)
