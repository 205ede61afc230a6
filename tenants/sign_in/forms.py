"""Forms of signing in and of a person's own account."""

from allauth.mfa.base.forms import AuthenticateForm
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from tenants.audit.operations import Subject, record
from tenants.models import User
from tenants.zones import validate_zone


class SecondFactorForm(AuthenticateForm):  # type: ignore[misc]
    """allauth's form for a code, which writes down a wrong one: somebody knows the password."""

    def clean_code(self) -> str:
        """Check the code."""
        try:
            code: str = super().clean_code()
        except ValidationError:
            details = {"method": "code", "why": "wrong code"}
            record("account.sign_in_failed", actor=None, subject=Subject.account(self.user), details=details)
            raise
        return code


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a person says of themselves. The account's name is for operators to change."""

    time_zone = forms.CharField(
        label=_("Time zone"),
        validators=[validate_zone],
        widget=forms.TextInput(attrs={"data-zones": "", "autocomplete": "off", "spellcheck": "false"}),
        help_text=_("Pages show times in this zone, e.g. Europe/Berlin."),
    )
    language = forms.ChoiceField(
        label=_("Language"),
        choices=[("", _("As the browser asks")), *settings.LANGUAGES],
        required=False,
        help_text=_("Of pages and of e-mails."),
    )

    class Meta:
        model = User
        fields = ("first_name", "last_name", "time_zone", "language")
