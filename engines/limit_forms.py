"""What people type about limits; whether it is allowed is the operations' to say."""

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from engines.models import GpuClass
from tenants.models import Membership, Role, Tenant
from tenants.quotas.amounts import AmountField, clean_amount
from tenants.quotas.measures import Measure, Scope
from tenants.quotas.models import REASON_LENGTH


class ScopeForm(forms.Form):
    """What a limit is about, and how much."""

    measure = forms.ChoiceField(label=_("What"), choices=Measure.choices)
    gpu_class = forms.ModelChoiceField(
        label=_("GPU class"), queryset=GpuClass.objects.filter(hidden=False), required=False, empty_label=_("All together")
    )
    amount = AmountField(label=_("At most"))

    def clean(self) -> dict[str, Any]:
        """Turn the number into an amount, and refuse what cannot be counted so."""
        cleaned = super().clean() or {}
        if cleaned.get("measure") == Measure.STORAGE and cleaned.get("gpu_class"):
            self.add_error("gpu_class", gettext("Storage has no GPU class."))
        clean_amount(self, cleaned.get("measure", ""))
        return cleaned

    @property
    def gpu_class_id(self) -> int | None:
        gpu_class = self.cleaned_data["gpu_class"]
        return gpu_class.pk if gpu_class else None


class LimitForm(ScopeForm):
    """A limit that the tenant sets: for everybody together, for each person of a role, or for one person."""

    whom = forms.ChoiceField(label=_("For"))
    field_order = ("whom", "measure", "gpu_class", "amount")

    def __init__(self, *args: Any, tenant: Tenant, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        roles = [(f"role:{role.value}", gettext("each person with the role “%(role)s”") % {"role": role.label}) for role in Role]
        members = tenant.memberships.select_related("user").order_by("user__username")
        people = [(f"user:{each.user_id}", str(each.user)) for each in members]
        self.fields["whom"].choices = [  # type: ignore[attr-defined]
            ("team", gettext("the whole team together")),
            (gettext("Roles"), roles),
            (gettext("People"), people),
        ]

    @property
    def scope(self) -> Scope:
        """What was chosen."""
        kind, _colon, which = self.cleaned_data["whom"].partition(":")
        return Scope(
            self.cleaned_data["measure"],
            self.gpu_class_id,
            role=which if kind == "role" else "",
            user_id=int(which) if kind == "user" else None,
        )


class AskForm(ScopeForm):
    """A wish for more."""

    whole = forms.ChoiceField(label=_("For"), choices=[("", _("me")), ("1", _("the whole team"))], required=False)
    reason = forms.CharField(label=_("What for"), max_length=REASON_LENGTH, widget=forms.Textarea({"rows": 3}))
    field_order = ("measure", "gpu_class", "whole", "amount", "reason")

    def __init__(self, *args: Any, membership: Membership, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.membership = membership
        self.fields["amount"].label = _("How much you need at a time")

    @property
    def scope(self) -> Scope:
        """Which limit it is."""
        own = None if self.cleaned_data["whole"] else self.membership.user_id
        return Scope(self.cleaned_data["measure"], self.gpu_class_id, user_id=own)


class DecisionForm(forms.Form):
    """An answer to a request: how much, where it is granted, and a word."""

    amount = AmountField(label=_("Grant"), required=False)
    word = forms.CharField(label=_("A word to whoever asked"), max_length=REASON_LENGTH, required=False)

    def __init__(self, *args: Any, measure: str, granted: Decimal | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.measure = measure
        self.initial.setdefault("amount", granted)

    def clean(self) -> dict[str, Any]:
        """Turn the number into an amount."""
        cleaned = super().clean() or {}
        clean_amount(self, self.measure)
        return cleaned
