"""A budget as people type it; whether it may be so is the operations' to say."""

from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from billing.budgets.operations import GRACE_LIMIT, Wanted
from billing.models import Budget
from billing.models.budgets import NAME_LENGTH
from billing.money import minor_digits
from billing.typed_amounts import TypedAmount
from engines.models import GpuClass
from engines.models.run import TAG_LENGTH
from tenants.models import Tenant, User

Scope = Budget.Scope
_ABOUT: dict[str, tuple[str, str | Promise]] = {
    Scope.PERSON: ("person", _("Choose a person.")),
    Scope.PROJECT: ("tag", _("Name the project.")),
    Scope.GPU_CLASS: ("gpu_class", _("Choose a GPU class.")),
}
"""The field that a scope needs, and what is said without it."""


class BudgetForm(forms.Form):
    """All of a budget. Of person, project and GPU class only the one that the scope is about counts."""

    name = forms.CharField(label=_("Name"), max_length=NAME_LENGTH)
    scope = forms.ChoiceField(label=_("For the costs of"), choices=Scope.choices)
    person = forms.ModelChoiceField(
        label=pgettext_lazy("of a budget", "Person"), queryset=User.objects.none(), required=False, empty_label=_("Choose…")
    )
    tag = forms.CharField(
        label=_("Project or campaign"),
        max_length=TAG_LENGTH,
        required=False,
        widget=forms.TextInput({"list": "projects", "autocomplete": "off"}),
    )
    gpu_class = forms.ModelChoiceField(
        label=_("GPU class"), queryset=GpuClass.objects.all(), required=False, empty_label=_("Choose…")
    )
    amount = TypedAmount(label=_("Amount"))
    recurrence = forms.ChoiceField(label=_("Begins anew"), choices=Budget.Recurrence.choices)
    thresholds = forms.CharField(
        label=_("Tell people at, per cent"), max_length=60, initial="50, 80, 100", help_text=_("Each once in a period.")
    )
    basis = forms.ChoiceField(label=_("Per cent of"), choices=Budget.Basis.choices)
    action = forms.ChoiceField(label=_("When it is used up"), choices=Budget.Action.choices)
    grace_minutes = forms.IntegerField(
        label=_("Minutes until what runs is paused"), min_value=0, max_value=GRACE_LIMIT, initial=30, required=False
    )
    active = forms.BooleanField(label=_("In force"), required=False, initial=True)

    def __init__(self, *args: Any, tenant: Tenant, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = User.objects.filter(memberships__tenant=tenant).order_by("username")
        self.fields["person"].queryset = people  # type: ignore[attr-defined]
        self.fields["amount"].label = gettext("Amount, %(currency)s") % {"currency": currency}

    def clean_thresholds(self) -> tuple[int, ...]:
        """Read numbers between commas or spaces."""
        parts = self.cleaned_data["thresholds"].replace("%", " ").replace(",", " ").split()
        if not all(part.isdecimal() and len(part) <= 4 for part in parts):
            raise forms.ValidationError(gettext("Whole numbers between commas, such as 50, 80, 100."))
        return tuple(sorted({int(part) for part in parts}))

    def clean(self) -> dict[str, Any]:
        """Ask for what the scope is about, and forget the rest."""
        cleaned = super().clean() or {}
        scope = cleaned.get("scope", "")
        for of_scope, (field, missing) in _ABOUT.items():
            if of_scope != scope:
                cleaned[field] = "" if field == "tag" else None
                self.errors.pop(field, None)
            elif not cleaned.get(field) and field not in self.errors:
                self.add_error(field, str(missing))
        return cleaned

    @property
    def wanted(self) -> Wanted:
        """What was typed."""
        cleaned = self.cleaned_data
        return Wanted(
            name=cleaned["name"],
            amount=cleaned["amount"],
            person=cleaned["person"],
            tag=cleaned["tag"],
            gpu_class=cleaned["gpu_class"],
            recurrence=cleaned["recurrence"],
            thresholds=cleaned["thresholds"],
            basis=cleaned["basis"],
            action=cleaned["action"],
            grace_minutes=cleaned["grace_minutes"] or 0,
            active=cleaned["active"],
        )


def typed(budget: Budget) -> dict[str, Any]:
    """Return a budget as its form shows it."""
    return {
        "name": budget.name,
        "scope": budget.scope,
        "person": budget.person_id,
        "tag": budget.tag,
        "gpu_class": budget.gpu_class_id,
        "amount": f"{budget.amount:.{minor_digits(budget.currency) if budget.amount % 1 else 0}f}",
        "recurrence": budget.recurrence,
        "thresholds": ", ".join(map(str, budget.thresholds)),
        "basis": budget.basis,
        "action": budget.action,
        "grace_minutes": budget.grace_minutes,
        "active": budget.active,
    }
