"""What people type about notifications."""

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from tenants.notifications.guarded import Malformed, Target
from tenants.notifications.kinds import CHOSEN_BY_PEOPLE, KINDS
from tenants.notifications.models import URL_LENGTH


def _kinds_of_webhooks() -> list[tuple[str, object]]:
    return [(kind.name, kind.label) for kind in CHOSEN_BY_PEOPLE]


def _kinds_of_mail() -> list[tuple[str, object]]:
    return [(kind.name, kind.label) for kind in KINDS.values() if kind.optional]


class EndpointForm(forms.Form):
    """Where a webhook is, and what it is told."""

    url = forms.CharField(
        label=_("Address"),
        max_length=URL_LENGTH,
        widget=forms.TextInput(
            attrs={"placeholder": "https://hooks.example.com/portal", "inputmode": "url", "autocomplete": "off"}
        ),
    )
    kinds = forms.MultipleChoiceField(
        label=_("What it is told"),
        choices=_kinds_of_webhooks,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Choose none to have everything sent, whatever is added later included."),
    )

    def clean_url(self) -> str:
        """Refuse what cannot be an address; whether it may be reached is seen when something is sent."""
        url = str(self.cleaned_data["url"])
        try:
            target = Target.of(url)
        except Malformed as error:
            raise ValidationError(_("This is not an address that a webhook can have.")) from error
        if not target.secure and not settings.WEBHOOK_NETWORKS:
            raise ValidationError(_("The address has to begin with https://."))
        return url


class AgainForm(forms.Form):
    """Which delivery is to be sent once more."""

    delivery = forms.IntegerField()


class ChoicesForm(forms.Form):
    """Which e-mail a person wants, and in which language."""

    kinds = forms.MultipleChoiceField(choices=_kinds_of_mail, required=False)
    language = forms.ChoiceField(label=_("Language of e-mail"), choices=settings.LANGUAGES, required=False)
