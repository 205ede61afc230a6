"""What people look for in the audit log; all of it stands in the address."""

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from tenants.audit.models import AuditEvent
from tenants.audit.queries import THE_PORTAL, Wanted, kinds_by_group


class FilterForm(forms.Form):
    """Who, what, which thing, when, by which way."""

    who = forms.CharField(
        label=_("Who"), required=False, max_length=150, widget=forms.TextInput(attrs={"list": "people", "autocomplete": "off"})
    )
    what = forms.ChoiceField(label=_("What"), required=False)
    thing = forms.CharField(
        label=_("Thing"), required=False, max_length=200, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    since = forms.DateField(label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    until = forms.DateField(label=_("To"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    via = forms.ChoiceField(label=_("By way of"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        groups = [
            (words, [(group, gettext("All of %(group)s") % {"group": words}), *kinds]) for group, words, kinds in kinds_by_group()
        ]
        self.fields["what"].choices = [("", gettext("Everything")), *groups]  # type: ignore[attr-defined]
        self.fields["via"].choices = [("", gettext("Any")), *AuditEvent.Via.choices]  # type: ignore[attr-defined]

    def clean_who(self) -> str:
        """The portal itself is called by its words, too."""
        who = str(self.cleaned_data["who"]).strip()
        return THE_PORTAL if who == str(AuditEvent.Via.SYSTEM.label) else who

    @property
    def wanted(self) -> Wanted:
        """What was asked for; what nobody can have meant is left out."""
        self.full_clean()
        return Wanted(**{name: value for name, value in self.cleaned_data.items() if value})
