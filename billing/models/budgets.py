"""What may be spent: by a tenant, a person, a project or on a GPU class, anew each month, quarter or day."""

from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from billing.money import PLACES, Money
from engines.models.run import TAG_LENGTH

NAME_LENGTH = 60
AMOUNT_DIGITS = 20


class Budget(models.Model):
    """An amount for the costs of one scope. At most one of person, tag and GPU class is set; none: of the whole tenant."""

    class Scope(models.TextChoices):
        TENANT = "tenant", _("the whole team")
        PERSON = "person", _("one person")
        PROJECT = "project", _("one project or campaign")
        GPU_CLASS = "gpu_class", _("one GPU class")

    class Recurrence(models.TextChoices):
        MONTH = "month", _("each month")
        QUARTER = "quarter", _("each quarter")
        DAY = "day", _("each day")

    class Basis(models.TextChoices):
        ACTUAL = "actual", _("what is spent")
        FORECAST = "forecast", _("what will probably be spent by the end")

    class Action(models.TextChoices):
        NOTIFY = "notify", _("tell people")
        BLOCK = "block", _("also start nothing more")
        PAUSE = "pause", _("also pause what runs")

    BLOCKING = (Action.BLOCK, Action.PAUSE)

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="budgets", verbose_name=_("tenant"))
    name = models.CharField(_("name"), max_length=NAME_LENGTH)
    person = models.ForeignKey(
        "tenants.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("person")
    )
    tag = models.CharField(_("project or campaign"), max_length=TAG_LENGTH, blank=True, default="")
    gpu_class = models.ForeignKey(
        "engines.GpuClass", on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("GPU class")
    )
    currency = models.CharField(_("currency"), max_length=3)
    amount = models.DecimalField(
        _("amount"), max_digits=AMOUNT_DIGITS, decimal_places=PLACES, validators=[MinValueValidator(Decimal(1).scaleb(-PLACES))]
    )
    recurrence = models.CharField(_("how often"), max_length=8, choices=Recurrence.choices, default=Recurrence.MONTH)
    thresholds = ArrayField(models.PositiveSmallIntegerField(), verbose_name=_("tell at, per cent"))
    basis = models.CharField(_("of what"), max_length=8, choices=Basis.choices, default=Basis.ACTUAL)
    action = models.CharField(_("what happens"), max_length=8, choices=Action.choices, default=Action.NOTIFY)
    grace_minutes = models.PositiveSmallIntegerField(
        _("minutes until what runs is paused"), default=30, help_text=_("From when it is used up; owners are told at once.")
    )
    active = models.BooleanField(_("in force"), default=True)
    made_by = models.ForeignKey(
        "tenants.User", on_delete=models.PROTECT, editable=False, related_name="+", verbose_name=_("made by")
    )
    made_at = models.DateTimeField(_("made at"), auto_now_add=True)

    class Meta:
        verbose_name = _("budget")
        verbose_name_plural = _("budgets")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint("tenant", Lower("name"), name="budget_name_unique_in_tenant"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="budget_of_something"),
            models.CheckConstraint(
                condition=Q(tag="", gpu_class=None) | Q(person=None, gpu_class=None) | Q(person=None, tag=""),
                name="budget_of_one_thing",
            ),
            models.CheckConstraint(condition=Q(basis="actual") | Q(action="notify"), name="forecasts_stop_nothing"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def money(self) -> Money:
        """The amount, with its currency."""
        return Money(self.amount, self.currency)

    @property
    def scope(self) -> Scope:
        """What kind of thing it is about."""
        if self.person_id is not None:
            return self.Scope.PERSON
        if self.gpu_class_id is not None:
            return self.Scope.GPU_CLASS
        return self.Scope.PROJECT if self.tag else self.Scope.TENANT

    @property
    def about(self) -> str:
        """The one thing that it is about, by name; empty for the whole tenant."""
        return str(self.person or self.gpu_class or self.tag)

    @property
    def covered(self) -> Q:
        """What counts against it, in the fields that sums, usage and instances have in common."""
        found = Q(tenant=self.tenant_id)
        if self.person_id is not None:
            found &= Q(owner=self.person_id)
        if self.gpu_class_id is not None:
            found &= Q(gpu_class=self.gpu_class_id)
        return found & Q(tag__iexact=self.tag) if self.tag else found

    @property
    def blocks(self) -> bool:
        """Whether it refuses runs where it leaves no room for them."""
        return self.active and self.action in self.BLOCKING


class BudgetAlert(models.Model):
    """People were told, or need not be told any more, that so much of a budget is used: once in each of its periods.

    `amount` is the budget's then: one that was raised can be used up to its thresholds once more.
    """

    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="alerts", verbose_name=_("budget"))
    period_starts = models.DateField(_("period from"))
    threshold = models.PositiveSmallIntegerField(_("per cent"))
    basis = models.CharField(_("of what"), max_length=8, choices=Budget.Basis.choices)
    amount = models.DecimalField(_("amount of the budget"), max_digits=AMOUNT_DIGITS, decimal_places=PLACES)
    reached = models.DecimalField(_("reached"), max_digits=AMOUNT_DIGITS, decimal_places=PLACES)
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("alert of a budget")
        verbose_name_plural = _("alerts of budgets")
        ordering = ["-at", "-threshold"]
        constraints = [
            models.UniqueConstraint(fields=["budget", "period_starts", "threshold", "basis", "amount"], name="budget_alert_once")
        ]

    def __str__(self) -> str:
        return f"{self.budget}: {self.threshold} %"


class BudgetPause(models.Model):
    """A budget is used up, and what runs on it will be paused, or is. Gone as soon as there is room again."""

    budget = models.OneToOneField(Budget, on_delete=models.CASCADE, related_name="pause", verbose_name=_("budget"))
    begun_at = models.DateTimeField(_("used up since"))
    due_at = models.DateTimeField(_("pauses at"))
    paused_at = models.DateTimeField(_("paused at"), null=True, blank=True)

    class Meta:
        verbose_name = _("pause by a budget")
        verbose_name_plural = _("pauses by budgets")
        ordering = ["due_at"]

    def __str__(self) -> str:
        return str(self.budget)
