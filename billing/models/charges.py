"""What was charged."""

from datetime import timedelta
from decimal import Decimal

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.money import PLACES, Money, units

USAGE = ("gpu", "storage")
"""Categories that are worked out from facts; the others are entered by people."""


class Charge(models.Model):
    """One line of the books, posted into a period: append-only, a database trigger refuses changes.

    Usage: at most one hour (GPU) or one day (storage) of one owner, one tag and one price. When facts or prices change, a line is
    taken back by a reversal (negative seconds and amounts) and followed by a replacement, both under its `line_key` with the next
    revision. Credits, adjustments and taxes are lines too; what undoes one is another.
    """

    class Kind(models.TextChoices):
        ORIGINAL = "original", _("original")
        REVERSAL = "reversal", _("reversal")
        REPLACEMENT = "replacement", _("replacement")

    class Category(models.TextChoices):
        GPU = "gpu", _("GPU time")
        STORAGE = "storage", _("storage")
        CREDIT = "credit", _("credit")
        ADJUSTMENT = "adjustment", _("adjustment")
        TAX = "tax", _("tax")

    # Foreign keys have no indexes of their own: every one costs each posting, and those in Meta answer the questions asked.
    line_key = models.UUIDField(_("line"))
    revision = models.PositiveSmallIntegerField(_("revision"), default=0)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices)
    category = models.CharField(_("category"), max_length=10, choices=Category.choices, default=Category.GPU)
    tenant = models.ForeignKey(
        "tenants.Tenant", on_delete=models.PROTECT, db_index=False, related_name="+", verbose_name=_("tenant")
    )
    period = models.ForeignKey(
        "billing.BillingPeriod", on_delete=models.PROTECT, db_index=False, related_name="charges", verbose_name=_("period")
    )
    is_correction = models.BooleanField(
        _("correction"), default=False, help_text=_("Of a period that was closed already: posted in a later one.")
    )
    # Of its beginning, in the account's calendar.
    day = models.DateField(_("day"))
    owner = models.ForeignKey(
        "tenants.User", on_delete=models.PROTECT, db_index=False, null=True, blank=True, related_name="+", verbose_name=_("owner")
    )
    instance = models.ForeignKey(
        "engines.Instance",
        on_delete=models.PROTECT,
        db_index=False,
        null=True,
        blank=True,
        related_name="charges",
        verbose_name=_("instance"),
    )
    volume = models.ForeignKey(
        "engines.Volume",
        on_delete=models.PROTECT,
        db_index=False,
        null=True,
        blank=True,
        related_name="charges",
        verbose_name=_("volume"),
    )
    # What the instance or volume was called when this was posted.
    resource_name = models.CharField(_("name"), max_length=60, blank=True)
    run_id = models.CharField(_("run"), max_length=100, blank=True)
    gpu_class = models.ForeignKey(
        "engines.GpuClass",
        on_delete=models.PROTECT,
        db_index=False,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("GPU class"),
    )
    storage_class = models.CharField(_("storage class"), max_length=63, blank=True)
    tag = models.CharField(_("tag"), max_length=60, blank=True)
    price = models.ForeignKey(
        "billing.Price",
        on_delete=models.PROTECT,
        db_index=False,
        null=True,
        blank=True,
        related_name="charges",
        verbose_name=_("price"),
    )
    currency = models.CharField(_("currency"), max_length=3)
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"))
    # Fewer than from `starts_at` to `ends_at` where a volume had another size in between.
    seconds = models.IntegerField(_("seconds"), default=0)
    quantity_milli = models.PositiveIntegerField(_("thousandths of a unit"), default=1000, help_text=_("Unit: GPU or GiB."))
    per_hour = models.DecimalField(_("price per hour"), max_digits=20, decimal_places=PLACES, null=True, blank=True)
    list_per_hour = models.DecimalField(_("list price per hour"), max_digits=20, decimal_places=PLACES, null=True, blank=True)
    amount = models.DecimalField(_("amount"), max_digits=20, decimal_places=PLACES)
    list_amount = models.DecimalField(_("amount at list price"), max_digits=20, decimal_places=PLACES)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    posted_at = models.DateTimeField(_("posted at"))
    posted_by = models.ForeignKey(
        "tenants.User",
        on_delete=models.PROTECT,
        db_index=False,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("posted by"),
    )

    class Meta:
        verbose_name = _("charge")
        verbose_name_plural = _("charges")
        ordering = ["starts_at", "pk"]
        indexes = [
            models.Index(fields=["instance", "starts_at"]),
            models.Index(fields=["volume", "starts_at"], condition=Q(volume__isnull=False), name="charges_of_volume"),
            models.Index(fields=["tenant", "starts_at"]),
            models.Index(fields=["period", "id"], name="charges_of_period"),
            # Few rows: it costs other postings nothing, and tells whether there is anything to leave out of an export.
            models.Index(fields=["period"], condition=Q(kind="reversal"), name="reversals_of_period"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["line_key", "revision", "kind"], name="charge_once"),
            models.CheckConstraint(
                condition=Q(category__in=USAGE, kind="reversal", seconds__lt=0, amount__lte=0, list_amount__lte=0)
                | Q(category__in=USAGE, kind__in=["original", "replacement"], seconds__gt=0, amount__gte=0, list_amount__gte=0)
                | Q(category="credit", kind="original", seconds=0, amount__lt=0)
                | Q(category__in=["adjustment", "tax"], kind="original", seconds=0),
                name="charge_sign",
            ),
            models.CheckConstraint(
                condition=Q(category="gpu", instance__isnull=False, volume=None, gpu_class__isnull=False)
                | Q(category="storage", instance=None, volume__isnull=False, gpu_class=None)
                | (Q(category__in=["credit", "adjustment", "tax"]) & ~Q(reason="")),
                name="charge_subject",
            ),
            models.CheckConstraint(
                condition=~Q(category__in=USAGE)
                | Q(owner__isnull=False, price__isnull=False, per_hour__isnull=False, list_per_hour__isnull=False, reason=""),
                name="charge_rated",
            ),
            models.CheckConstraint(
                condition=Q(kind="original", revision=0) | Q(kind__in=["reversal", "replacement"], revision__gt=0),
                name="charge_revision",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at"))
                & (~Q(category="gpu") | Q(ends_at__lte=F("starts_at") + timedelta(hours=1)))
                # A day may have 25 hours, and 26 more where the account moves to another time zone.
                & (~Q(category="storage") | Q(ends_at__lte=F("starts_at") + timedelta(hours=51))),
                name="charge_within_its_cell",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.starts_at:%F %T} {self.money.exact}"

    @property
    def money(self) -> Money:
        """The amount, with its currency."""
        return Money(self.amount, self.currency)

    @property
    def list_money(self) -> Money:
        """What it would have been at the list price."""
        return Money(self.list_amount, self.currency)

    @property
    def quantity(self) -> Decimal:
        """Of how many units: GPUs or GiB."""
        return units(self.quantity_milli)

    @property
    def unit_price(self) -> Money | None:
        """The price of one unit for an hour that was applied; None where nothing was measured."""
        return None if self.per_hour is None else Money(self.per_hour, self.currency)
