"""What people type to make an API token."""

from collections.abc import Callable
from datetime import timedelta

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from gateway.api_tokens.limits import NETWORKS_LIMIT, RULES_LIMIT, BadLimit, read_network, read_rule
from gateway.api_tokens.operations import Wanted
from gateway.models import ApiToken

LIVES = [(7, _("a week")), (30, _("30 days")), (90, _("90 days")), (180, _("180 days")), (365, _("a year"))]


class ApiTokenForm(forms.Form):
    """A new token; whether it may be made is the operation's to say."""

    name = forms.CharField(label=_("Name"), max_length=60, help_text=_("What uses it, for instance “nightly batch”."))
    scope = forms.ChoiceField(label=_("It may"), choices=ApiToken.Scope.choices, initial=ApiToken.Scope.USE)
    days = forms.TypedChoiceField(label=_("Ends after"), choices=LIVES, initial=90, coerce=int)
    rules = forms.CharField(
        label=_("Only for"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "POST /prompt\nGET /history/*"}),
        help_text=_("Paths, one per line, perhaps with a method; * stands for anything. Empty: every path."),
    )
    networks = forms.CharField(
        label=_("Only from"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "placeholder": "192.0.2.0/24"}),
        help_text=_("Addresses or networks, one per line. Empty: from anywhere."),
    )

    def clean_rules(self) -> list[str]:
        """Read each line, and name the one that is no rule."""
        refusal = gettext("“%(text)s” is not a path. A path begins with /.")
        return _lines(self.cleaned_data["rules"], read_rule, RULES_LIMIT, refusal)

    def clean_networks(self) -> list[str]:
        """Read each line, and name the one that is no network."""
        refusal = gettext("“%(text)s” is neither an address nor a network such as 192.0.2.0/24.")
        return _lines(self.cleaned_data["networks"], read_network, NETWORKS_LIMIT, refusal)

    @property
    def wanted(self) -> Wanted:
        """What a valid form asks for."""
        data = self.cleaned_data
        return Wanted(data["name"], data["scope"], timedelta(days=data["days"]), data["rules"], data["networks"])


def _lines(text: str, read: Callable[[str], str], limit: int, refusal: str) -> list[str]:
    try:
        found = [read(line) for line in text.splitlines() if line.strip()]
    except BadLimit as error:
        raise forms.ValidationError(refusal % {"text": error}) from error
    if len(found) > limit:
        raise forms.ValidationError(gettext("At most %(limit)d lines.") % {"limit": limit})
    return found
