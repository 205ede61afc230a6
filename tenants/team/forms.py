"""What people fill in on the pages of a team."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from tenants.models import Membership
from tenants.names import NAME_LENGTH
from tenants.team.queries import RoleRow, offered_roles


class RoleForm(forms.Form):
    """Which role, of those that the reader may give."""

    role = forms.ChoiceField(label=_("Role"))

    def __init__(self, *args: Any, reader: Membership, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offered: list[RoleRow] = offered_roles(reader)
        self.fields["role"].choices = [(row.value, row.word) for row in self.offered]  # type: ignore[attr-defined]


class InviteForm(RoleForm):
    """Whom to invite."""

    address = forms.EmailField(label=_("E-mail address"), max_length=254)


class RenameForm(forms.Form):
    """The name that people read; the operation tidies and judges it."""

    name = forms.CharField(label=_("Name"), max_length=NAME_LENGTH)


class ConfirmForm(forms.Form):
    """The tenant's name, typed to confirm."""

    name = forms.CharField(required=False)
