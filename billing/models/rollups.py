"""Sums of charges. Derived: worked out anew from the charges whenever one is posted, never counted up; see docs/adr.

`seconds`, amounts and counts include reversals, so every sum is what stands. `milli_unit_seconds` is seconds × thousandths of a
unit (GPU, GiB): divide by 3,600,000 for GPU-hours or GiB-hours. Nothing is ever added across currencies.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.models.charges import Charge
from billing.money import PLACES, Money


class _Sums(models.Model):
    tenant = models.ForeignKey(
        "tenants.Tenant", on_delete=models.PROTECT, db_index=False, related_name="+", verbose_name=_("tenant")
    )
    # The period that the charges are posted in: a later one than that of the day where they correct a closed one.
    period = models.ForeignKey(
        "billing.BillingPeriod", on_delete=models.PROTECT, db_index=False, related_name="+", verbose_name=_("period")
    )
    category = models.CharField(_("category"), max_length=10, choices=Charge.Category.choices)
    owner = models.ForeignKey(
        "tenants.User", on_delete=models.PROTECT, db_index=False, null=True, blank=True, related_name="+", verbose_name=_("owner")
    )
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
    currency = models.CharField(_("currency"), max_length=3)
    seconds = models.BigIntegerField(_("seconds"))
    milli_unit_seconds = models.BigIntegerField(_("seconds × thousandths of a unit"))
    amount = models.DecimalField(_("amount"), max_digits=24, decimal_places=PLACES)
    list_amount = models.DecimalField(_("amount at list prices"), max_digits=24, decimal_places=PLACES)
    charge_count = models.IntegerField(_("charges"))

    class Meta:
        abstract = True

    @property
    def money(self) -> Money:
        """The amount, with its currency."""
        return Money(self.amount, self.currency)


class DayRollup(_Sums):
    """What one day of the account's calendar cost, by all that a charge can be told apart by. Replaced by subject and day."""

    day = models.DateField(_("day"))
    instance = models.ForeignKey(
        "engines.Instance",
        on_delete=models.PROTECT,
        db_index=False,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("instance"),
    )
    volume = models.ForeignKey(
        "engines.Volume",
        on_delete=models.PROTECT,
        db_index=False,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("volume"),
    )
    price = models.ForeignKey(
        "billing.Price",
        on_delete=models.PROTECT,
        db_index=False,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("price"),
    )

    class Meta:
        verbose_name = _("costs of a day")
        verbose_name_plural = _("costs of days")
        ordering = ["tenant", "day", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=[
                    *("tenant", "day", "instance", "volume", "owner", "category", "gpu_class"),
                    *("storage_class", "tag", "price", "currency", "period"),
                ],
                nulls_distinct=False,
                name="day_rollup_once",
            )
        ]
        indexes = [
            models.Index(fields=["instance", "day"], name="day_rollup_of_instance"),
            models.Index(fields=["volume", "day"], name="day_rollup_of_volume"),
            models.Index(fields=["owner", "day"], name="day_rollup_of_owner"),
            models.Index(fields=["period"], name="day_rollup_of_period"),
            models.Index(
                # With all that pages and programs divide by, so that the rows of a tenant, which lie all over the table, need not
                # be visited.
                fields=["tenant", "day"],
                include=[
                    *("instance", "volume", "owner", "gpu_class", "category", "tag", "currency"),
                    *("seconds", "milli_unit_seconds", "amount", "list_amount", "charge_count"),
                ],
                name="day_rollup_of_tenant",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.category}: {self.money.exact}"


class MonthRollup(_Sums):
    """What one month of the account's calendar cost, without instances. Replaced by owner and month."""

    month = models.DateField(_("month"), help_text=_("Its first day."))

    class Meta:
        verbose_name = _("costs of a month")
        verbose_name_plural = _("costs of months")
        ordering = ["tenant", "month", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=[
                    *("tenant", "month", "owner", "category", "gpu_class"),
                    *("storage_class", "tag", "currency", "period"),
                ],
                nulls_distinct=False,
                name="month_rollup_once",
            )
        ]
        indexes = [
            models.Index(fields=["month"], name="month_rollup_by_month"),
            models.Index(fields=["owner", "month"], name="month_rollup_of_owner"),
            models.Index(fields=["period"], name="month_rollup_of_period"),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.category}: {self.money.exact}"
