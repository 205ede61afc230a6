"""What people type about when engines are released."""

from datetime import timedelta
from typing import Any, Self

from django import forms
from django.utils.translation import gettext_lazy as _

from engines.models import IdleRule, Schedule
from engines.models.idle import LONGEST_MINUTES, WEEKDAYS, day_bits
from tenants.zones import validate_zone

WORKDAYS = [0, 1, 2, 3, 4]
UNSET_ZONE = "UTC"
"""What everybody's zone is who never chose one; the browser knows better."""


class KeepForm(forms.Form):
    """For how long an engine is to stay on, used or not."""

    minutes = forms.TypedChoiceField(label=_("For"), coerce=int)

    def __init__(self, *args: Any, longest: timedelta, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = [
            (minutes, label)
            for minutes, label in (
                (30, _("30 minutes")),
                (60, _("1 hour")),
                (120, _("2 hours")),
                (240, _("4 hours")),
                (480, _("8 hours")),
            )
            if timedelta(minutes=minutes) <= longest
        ]
        self.fields["minutes"].choices = offered or [(1, _("as long as allowed"))]  # type: ignore[attr-defined]
        self.initial.setdefault("minutes", 60)


class ScheduleForm(forms.Form):
    """A time of day on some weekdays."""

    action = forms.ChoiceField(
        label=_("What happens"), choices=[(Schedule.Action.STOP, _("Pause")), (Schedule.Action.START, _("Start"))]
    )
    at = forms.TimeField(label=_("At"), widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"))
    time_zone = forms.CharField(
        label=_("Time zone"),
        validators=[validate_zone],
        help_text=_("For example Europe/Berlin."),
        widget=forms.TextInput(attrs={"data-zones": "", "autocomplete": "off", "spellcheck": "false"}),
    )
    days = forms.TypedMultipleChoiceField(
        label=_("On"), coerce=int, choices=list(enumerate(WEEKDAYS)), initial=WORKDAYS, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.is_bound and self.initial.get("time_zone") == UNSET_ZONE:
            self.fields["time_zone"].widget.attrs["data-zones"] = "guess"

    @property
    def schedule(self) -> Schedule:
        """What was typed, as a row that nobody has stored."""
        given = self.cleaned_data
        return Schedule(action=given["action"], at=given["at"], days=day_bits(given["days"]), time_zone=given["time_zone"])


class TeamScheduleForm(ScheduleForm):
    """A stop for everything that a team runs."""

    action = None  # type: ignore[assignment]

    @property
    def schedule(self) -> Schedule:
        given = self.cleaned_data
        days = day_bits(given["days"])
        return Schedule(action=Schedule.Action.STOP, at=given["at"], days=days, time_zone=given["time_zone"])


class TighterForm(forms.Form):
    """A team's own limits, in minutes, which only ever tighten the operators'."""

    idle_minutes = forms.IntegerField(label=_("Idle for at most, minutes"), min_value=1, max_value=LONGEST_MINUTES)
    maximum_life_minutes = forms.IntegerField(
        label=_("Runs for at most, minutes"),
        min_value=1,
        max_value=LONGEST_MINUTES,
        required=False,
        help_text=_("Empty: no limit."),
    )
    maximum_keep_minutes = forms.IntegerField(
        label=_("Kept on for at most, minutes"),
        min_value=0,
        max_value=LONGEST_MINUTES,
        help_text=_("How long people may keep an engine that nobody uses."),
    )
    end_busy = forms.BooleanField(label=_("Release engines that are busy for too long"), required=False)
    release_unknown = forms.BooleanField(
        label=_("Release engines that have not said for 30 minutes whether they are busy"), required=False
    )

    @classmethod
    def of(cls, rule: IdleRule) -> Self:
        """The form as a rule fills it."""
        return cls(initial={name: getattr(rule, name) for name in cls.base_fields})

    @property
    def rule(self) -> IdleRule:
        """What was typed, as a row that nobody has stored."""
        return IdleRule(**self.cleaned_data)
