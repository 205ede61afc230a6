"""Amounts in forms: typed as numbers, kept in the units of `Measure`."""

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _

from tenants.quotas.measures import Measure, to_amount

MOST = Decimal(1_000_000)


class AmountField(forms.DecimalField):
    """A number of whatever is limited; only GPUs come in parts."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0, max_value=MOST, max_digits=10, decimal_places=3, **kwargs)


def clean_amount(form: forms.BaseForm, measure: str, field: str = "amount") -> None:
    """Replace what was typed by the amount; add an error where parts of it make no sense."""
    number = form.cleaned_data.get(field)
    if number is None or not measure:
        return
    if measure != Measure.GPUS and number != number.to_integral_value():
        form.add_error(field, _("Only GPUs can be counted in parts."))
    else:
        form.cleaned_data[field] = to_amount(measure, number)
