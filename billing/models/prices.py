"""What an hour costs, from when on."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.models.ranges import OVERLAPS, PERIOD, same_number, same_text
from billing.money import PLACES, Money
from billing.pricebook import PriceSpan


class Price(models.Model):
    """An hour of a GPU class, or of a GiB of storage, costs this during [starts_at, ends_at): for all, or one tenant's own.

    Written by `operations.set_price` alone. A database trigger keeps the past: a price may only be made to end earlier.
    """

    gpu_class = models.ForeignKey(
        "engines.GpuClass",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="prices",
        verbose_name=_("GPU class"),
        help_text=_("Empty: a price of storage, per GiB."),
    )
    storage_class = models.CharField(
        _("storage class"), max_length=63, blank=True, help_text=_("Empty: all storage that has no price of its own.")
    )
    tenant = models.ForeignKey(
        "tenants.Tenant",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("tenant"),
        help_text=_("Empty: the list price, for everybody."),
    )
    currency = models.CharField(_("currency"), max_length=3, validators=[RegexValidator(r"^[A-Z]{3}$")])
    per_hour = models.DecimalField(_("price per hour"), max_digits=20, decimal_places=PLACES, validators=[MinValueValidator(0)])
    list_per_hour = models.DecimalField(
        _("list price per hour"),
        max_digits=20,
        decimal_places=PLACES,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("What discounts are told from. Empty: the list price of the time."),
    )
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"), null=True, blank=True)
    created_at = models.DateTimeField(_("entered at"), auto_now_add=True)
    created_by = models.ForeignKey(
        "tenants.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("entered by")
    )

    class Meta:
        verbose_name = _("price")
        verbose_name_plural = _("prices")
        ordering = ["gpu_class__name", "tenant__name", "-starts_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(per_hour__gte=0) & (Q(list_per_hour__isnull=True) | Q(list_per_hour__gte=0)),
                name="price_not_negative",
            ),
            models.CheckConstraint(condition=Q(gpu_class__isnull=True) | Q(storage_class=""), name="price_of_gpu_or_storage"),
            # Equal bounds: a price that was replaced before it ever applied.
            models.CheckConstraint(condition=Q(ends_at__isnull=True) | Q(ends_at__gte=F("starts_at")), name="price_ends_later"),
            ExclusionConstraint(
                name="one_price_at_a_time",
                expressions=[
                    (same_number("gpu_class_id"), OVERLAPS),
                    (same_number("tenant_id"), OVERLAPS),
                    (same_text("storage_class"), OVERLAPS),
                    (same_text("currency"), OVERLAPS),
                    (PERIOD, OVERLAPS),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.gpu_class}: {self.money.exact}"

    @property
    def money(self) -> Money:
        """The price of one hour."""
        return Money(self.per_hour, self.currency)

    @property
    def span(self) -> PriceSpan:
        """The same as a value for the pure modules."""
        return PriceSpan(
            id=self.pk,
            gpu_class_id=self.gpu_class_id,
            tenant_id=self.tenant_id,
            currency=self.currency,
            per_hour=self.per_hour,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            storage_class=self.storage_class,
            list_per_hour=self.list_per_hour,
        )
