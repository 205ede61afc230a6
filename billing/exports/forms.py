"""What somebody wants as a file, as they say it on the page."""

from datetime import date
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from billing.calendars import DAY
from billing.exports import parquet
from billing.exports.asking import Wanted
from billing.exports.formats import Basis, Detail, Format
from billing.windows import LATEST


def _formats() -> list[tuple[str, Any]]:
    """What this installation can write."""
    return [(each.value, each.label) for each in Format if each is not Format.PARQUET or parquet.is_available()]


class ExportForm(forms.Form):
    """A file of costs."""

    format = forms.ChoiceField(label=_("Format"), choices=_formats, initial=Format.XLSX)
    first_day = forms.DateField(label=_("First day"), widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"))
    last_day = forms.DateField(
        label=_("Last day"),
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        validators=[MaxValueValidator(LATEST)],
    )
    basis = forms.ChoiceField(
        label=_("These are the days of"),
        choices=[(Basis.USAGE, pgettext_lazy("of an export", "use")), (Basis.INVOICE, _("the invoice, in whole months"))],
        initial=Basis.USAGE,
    )
    detail = forms.ChoiceField(
        label=_("Lines"),
        choices=[(Detail.NET, _("as they stand")), (Detail.LEDGER, _("with every change that was ever made"))],
        initial=Detail.NET,
    )
    filter = forms.CharField(
        label=_("Only"),
        required=False,
        max_length=2000,
        widget=forms.TextInput({"placeholder": 'gpu_class:"h100"+user!:"ann"', "autocomplete": "off"}),
        help_text=_("As in the API; empty for everything."),
    )

    def clean(self) -> dict[str, Any]:
        """Refuse a window that ends before it begins."""
        cleaned = super().clean() or {}
        first, last = cleaned.get("first_day"), cleaned.get("last_day")
        if first and last and last < first:
            self.add_error("last_day", _("This is before the first day."))
        return cleaned

    @property
    def wanted(self) -> Wanted:
        """What a valid form asks for."""
        given = self.cleaned_data
        last: date = given["last_day"]
        return Wanted(
            format=Format(given["format"]),
            window=f"{given['first_day']},{last + DAY}",
            filter=given["filter"],
            basis=Basis(given["basis"]),
            detail=Detail(given["detail"]),
        )


FIELDS_OF = {"window": "last_day", "filter": "filter", "format": "format"}
"""Which field of the form shows what was refused of a wish."""
