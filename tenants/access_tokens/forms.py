"""What people type to make an access token; whether it may be made is the operations' to say."""

from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from tenants import access
from tenants.access import Action
from tenants.access_tokens.operations import USUAL_DAYS, Wanted, roles_for_services
from tenants.access_tokens.scopes import WORDS, Scope
from tenants.models import Membership, Role

HERE, EVERYWHERE, SERVICE = "here", "everywhere", "service"
LIVES = [(7, _("a week")), (30, _("30 days")), (90, _("90 days")), (180, _("180 days")), (365, _("a year"))]
# What most programs are for: to start engines, look after them, and know what they cost.
USUAL_SCOPES = [Scope.CATALOG_READ, Scope.INSTANCES_WRITE, Scope.DATA_READ, Scope.COSTS_READ]


class AccessTokenForm(forms.Form):
    """A new token, of one's own or, for who manages tokens, of a service."""

    name = forms.CharField(label=_("Name"), max_length=60, help_text=_("What uses it, for instance “nightly batch”."))
    acts = forms.ChoiceField(label=_("It acts as"))
    role = forms.ChoiceField(label=_("Role of the service"), required=False, help_text=_("Counts for a service alone."))
    days = forms.TypedChoiceField(label=_("Ends after"), initial=USUAL_DAYS, coerce=int)
    scopes = forms.MultipleChoiceField(
        label=_("It may"),
        choices=[(scope.value, words) for scope, words in WORDS.items()],
        initial=[scope.value for scope in USUAL_SCOPES],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Never more than what its person or its role may do. What may change things may read them, too."),
    )

    def __init__(self, *args: Any, membership: Membership, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tenant = {"tenant": membership.tenant}
        acts: list[tuple[str, object]] = [
            (HERE, _("me, in %(tenant)s alone") % tenant),
            (EVERYWHERE, _("me, in all my teams")),
        ]
        self.fields["days"].choices = [each for each in LIVES if each[0] <= settings.ACCESS_TOKEN_DAYS] or LIVES[:1]  # type: ignore[attr-defined]
        if access.may(membership, Action.MANAGE_TOKENS):
            acts.append((SERVICE, _("a service of %(tenant)s") % tenant))
            roles = roles_for_services(membership)
            self.fields["role"].choices = [(role.value, role.label) for role in roles]  # type: ignore[attr-defined]
            self.fields["role"].initial = Role.MEMBER.value
        else:
            del self.fields["role"]
        self.fields["acts"].choices = acts  # type: ignore[attr-defined]

    @property
    def wanted(self) -> Wanted:
        """What a valid form asks for."""
        data = self.cleaned_data
        return Wanted(data["name"], data["scopes"], timedelta(days=data["days"]))
