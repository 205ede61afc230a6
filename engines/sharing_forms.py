"""What people type to let others in or to give an instance away; whether it is allowed is the operations' to say."""

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from engines.models import Instance, Share
from engines.queries.sharing import lasting_shares, others_who_may
from tenants.access import Action
from tenants.models import User

EVERYBODY = "everybody"
ON_A_DAY = "day"
ENDS = [
    ("hours", _("for 8 hours")),
    ("week", _("for a week")),
    ("month", _("for 30 days")),
    ("open", _("until somebody ends it")),
    (ON_A_DAY, _("until the end of a day…")),
]
_SPANS = {"hours": timedelta(hours=8), "week": timedelta(days=7), "month": timedelta(days=30)}
_LAST_SECOND = time(23, 59, 59)


class EndForm(forms.Form):
    """When a share is to end; days are the reader's."""

    ends = forms.ChoiceField(label=_("How long"), choices=ENDS, initial="week")
    day = forms.DateField(label=_("Last day"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))

    def clean(self) -> dict[str, Any]:
        """Ask for the day where one is meant."""
        cleaned = super().clean() or {}
        if cleaned.get("ends") == ON_A_DAY and not cleaned.get("day") and "day" not in self.errors:
            self.add_error("day", gettext("Choose the last day."))
        return cleaned

    @property
    def until(self) -> datetime | None:
        """The moment; None: until somebody ends it."""
        ends = self.cleaned_data["ends"]
        if ends == ON_A_DAY:
            return timezone.make_aware(datetime.combine(self.cleaned_data["day"], _LAST_SECOND))
        span = _SPANS.get(ends)
        return None if span is None else timezone.now().replace(microsecond=0) + span


class ShareForm(EndForm):
    """With whom, and how long."""

    guest = forms.ChoiceField(label=_("With whom"))
    field_order = ("guest", "ends", "day")

    def __init__(self, *args: Any, instance: Instance, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.members = {str(user.pk): user for user in others_who_may(Action.VISIT, instance)}
        everybody = gettext("Everybody in %(tenant)s who may use engines") % {"tenant": instance.tenant}
        people = [(key, _named(user)) for key, user in self.members.items()]
        self.fields["guest"].choices = [("", gettext("Choose…")), (EVERYBODY, everybody), *people]  # type: ignore[attr-defined]

    @property
    def member(self) -> User | None:
        """Whom to let in; None: everybody."""
        return self.members.get(self.cleaned_data["guest"])


class ShareChoiceForm(forms.Form):
    """One of the shares that last."""

    share = forms.ModelChoiceField(queryset=Share.objects.none(), error_messages={"invalid_choice": _("It has ended already.")})

    def __init__(self, *args: Any, instance: Instance, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["share"].queryset = lasting_shares(instance)  # type: ignore[attr-defined]


class ExtendForm(EndForm, ShareChoiceForm):
    """Another end for one of them."""


class HandOverForm(forms.Form):
    """To whom."""

    to = forms.ModelChoiceField(label=_("New owner"), queryset=User.objects.none(), empty_label=_("Choose…"))

    def __init__(self, *args: Any, instance: Instance, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["to"].queryset = others_who_may(Action.LAUNCH, instance)  # type: ignore[attr-defined]
        self.fields["to"].label_from_instance = _named  # type: ignore[attr-defined]


def _named(user: User) -> str:
    """The name by which colleagues know somebody, and the one that the portal shows."""
    name = user.get_full_name()
    return f"{user.username} ({name})" if name else user.username
