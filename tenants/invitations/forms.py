"""A new person's account, whose address the invitation has."""

from typing import Any

from allauth.account.adapter import get_adapter
from django import forms
from django.contrib.auth.password_validation import password_validators_help_text_html, validate_password
from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _

from tenants.models import User


class AccountForm(forms.Form):
    """Name and password."""

    username = forms.CharField(
        label=_("Your name"),
        max_length=150,
        help_text=_("Others see it. Letters, digits and @ . + - _ without spaces, for instance jane.doe."),
        widget=forms.TextInput(attrs={"autocomplete": "username"}),
    )
    password1 = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=lazy(password_validators_help_text_html, str)(),
    )
    password2 = forms.CharField(
        label=_("Password (again)"), strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    def __init__(self, *args: Any, address: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.address = address

    def clean_username(self) -> str:
        """Refuse names that are malformed or taken, in whatever case."""
        return str(get_adapter().clean_username(self.cleaned_data["username"]))

    def clean(self) -> dict[str, Any]:
        """Compare the two passwords, and have the rules judge them."""
        cleaned: dict[str, Any] = super().clean() or {}
        password = cleaned.get("password1")
        if password is None:
            return cleaned
        if password != cleaned.get("password2"):
            self.add_error("password2", _("The passwords are not the same."))
        try:
            validate_password(password, User(username=cleaned.get("username", ""), email=self.address))
        except forms.ValidationError as error:
            self.add_error("password1", error)
        return cleaned
