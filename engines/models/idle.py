"""When GPUs are given back: the rules, what is known of each run's use, and its history."""

from datetime import timedelta
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from engines.idle.decision import Why
from engines.idle.hours import Hours
from engines.idle.policy import Policy
from tenants.zones import validate_zone

WEEKDAYS = [_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"), _("Sunday")]
EVERY_DAY = 0b1111111
LONGEST_MINUTES = 366 * 24 * 60


def _minutes(label: Any, default: int | None, **options: Any) -> Any:
    bounds = [MinValueValidator(options.pop("least", 0)), MaxValueValidator(LONGEST_MINUTES)]
    optional: dict[str, Any] = {"null": True, "blank": True} if default is None else {}
    return models.PositiveIntegerField(label, default=default, validators=bounds, **optional, **options)


class IdleRule(models.Model):
    """One rule. The first that fits, by position, holds: an operator's decides, a tenant's own can only tighten it.

    An empty tenant, engine or GPU class fits every one. All durations are minutes.
    """

    class Author(models.TextChoices):
        OPERATOR = "operator", _("operator")
        TENANT = "tenant", _("tenant")

    name = models.CharField(_("name"), max_length=80)
    position = models.PositiveIntegerField(
        _("position"), default=100, help_text=_("Lowest first: the first rule that fits holds.")
    )
    enabled = models.BooleanField(_("enabled"), default=True)
    author = models.CharField(_("set by"), max_length=8, choices=Author.choices, default=Author.OPERATOR, editable=False)
    tenant = models.ForeignKey(
        "tenants.Tenant", on_delete=models.CASCADE, null=True, blank=True, related_name="idle_rules", verbose_name=_("tenant")
    )
    engine = models.ForeignKey(
        "engines.Engine", on_delete=models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("engine")
    )
    gpu_class = models.ForeignKey(
        "engines.GpuClass", on_delete=models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("GPU class")
    )
    exempt = models.BooleanField(
        _("exempt"), default=False, help_text=_("Never released for being idle. The limits below still hold.")
    )
    idle_minutes = _minutes(_("idle for, minutes"), 20, least=1)
    warm_up_minutes = _minutes(
        _("warm-up, minutes"), 10, help_text=_("After the engine is ready: counts as use, for whoever waited for it.")
    )
    minimum_run_minutes = _minutes(_("minimum run, minutes"), 0)
    maximum_life_minutes = _minutes(_("maximum life, minutes"), None, least=1, help_text=_("Empty: no limit."))
    maximum_busy_minutes = _minutes(
        _("maximum busy, minutes"), 24 * 60, least=1, help_text=_("People are warned when an engine is busy for longer.")
    )
    end_busy = models.BooleanField(_("release when busy for longer"), default=False)
    release_unknown = models.BooleanField(
        _("release when unknown"),
        default=False,
        help_text=_("Release engines that have not said for 30 minutes whether they are busy."),
    )
    maximum_keep_minutes = _minutes(
        _("maximum keep, minutes"), 240, help_text=_("How long people may keep an engine that nobody uses.")
    )
    working_days = models.PositiveSmallIntegerField(
        _("working days"), default=0, validators=[MaxValueValidator(EVERY_DAY)], help_text=_("One bit a weekday, Monday first.")
    )
    working_from = models.TimeField(_("working hours from"), null=True, blank=True)
    working_until = models.TimeField(_("working hours until"), null=True, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC", validators=[validate_zone])

    class Meta:
        verbose_name = _("idle rule")
        verbose_name_plural = _("idle rules")
        ordering = ["position", "pk"]
        constraints = [
            models.CheckConstraint(
                name="idle_rule_hours_whole",
                condition=models.Q(working_from=None, working_until=None)
                | models.Q(working_from__isnull=False, working_until__isnull=False),
            ),
            models.CheckConstraint(
                name="idle_rule_of_tenant_names_it",
                condition=models.Q(author="operator") | models.Q(author="tenant", tenant__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def fits(self, *, tenant_id: int, engine_id: int, gpu_class_id: int) -> bool:
        """Tell whether the rule is about an instance of these."""
        return (
            self.enabled
            and self.tenant_id in {None, tenant_id}
            and self.engine_id in {None, engine_id}
            and self.gpu_class_id in {None, gpu_class_id}
        )

    @property
    def policy(self) -> Policy:
        """What it says, as a value."""
        return Policy(
            exempt=self.exempt,
            idle=timedelta(minutes=self.idle_minutes),
            warm_up=timedelta(minutes=self.warm_up_minutes),
            minimum_run=timedelta(minutes=self.minimum_run_minutes),
            maximum_life=_duration(self.maximum_life_minutes),
            maximum_busy=_duration(self.maximum_busy_minutes),
            end_busy=self.end_busy,
            release_unknown=self.release_unknown,
            maximum_keep=timedelta(minutes=self.maximum_keep_minutes),
            hours=self._hours(),
            name=self.name,
        )

    def _hours(self) -> Hours | None:
        if self.working_from is None or self.working_until is None:
            return None
        days = frozenset(day for day in range(7) if self.working_days >> day & 1)
        return Hours(days, self.working_from, self.working_until, self.time_zone)


def _duration(minutes: int | None) -> timedelta | None:
    return None if minutes is None else timedelta(minutes=minutes)


class Use(models.Model):
    """What is known of the use of an instance's present run; written by the minute's look, except for what people ask.

    `releasing_since` is the first half of a release: from then on whoever uses the engine clears it, and wins.
    """

    instance = models.OneToOneField("engines.Instance", on_delete=models.CASCADE, related_name="use", verbose_name=_("instance"))
    run_id = models.CharField(_("run"), max_length=100, blank=True)
    user_at = models.DateTimeField(_("last use"), null=True, blank=True)
    api_at = models.DateTimeField(_("last call by a program"), null=True, blank=True)
    stream_at = models.DateTimeField(_("last open stream"), null=True, blank=True)
    busy_since = models.DateTimeField(_("busy since"), null=True, blank=True)
    unknown_since = models.DateTimeField(_("unknown since"), null=True, blank=True)
    free_looks = models.PositiveIntegerField(_("times found free"), default=0)
    looked_at = models.DateTimeField(_("looked at"), null=True, blank=True)
    why = models.CharField(_("why it is on"), max_length=20, blank=True, choices=[(each.value, each.value) for each in Why])
    evidence = models.TextField(_("evidence"), blank=True)
    due_at = models.DateTimeField(_("released at the earliest"), null=True, blank=True)
    keep_until = models.DateTimeField(_("kept until"), null=True, blank=True)
    when_free = models.BooleanField(_("release when free"), default=False)
    stop_due_at = models.DateTimeField(_("stop by schedule"), null=True, blank=True)
    releasing_since = models.DateTimeField(_("releasing since"), null=True, blank=True)

    class Meta:
        verbose_name = _("use")
        verbose_name_plural = _("uses")

    def __str__(self) -> str:
        return f"{self.instance}: {self.why}"


class UseSpan(models.Model):
    """A stretch of time in which an instance was in use, for replaying the past under another rule."""

    class Kind(models.TextChoices):
        USER = "user", _("used")
        API = "api", _("called by a program")
        WORK = "work", _("working")

    instance = models.ForeignKey(
        "engines.Instance", on_delete=models.CASCADE, related_name="use_spans", verbose_name=_("instance")
    )
    run_id = models.CharField(_("run"), max_length=100)
    kind = models.CharField(_("kind"), max_length=4, choices=Kind.choices)
    began_at = models.DateTimeField(_("began"))
    ended_at = models.DateTimeField(_("ended"))

    class Meta:
        verbose_name = _("stretch of use")
        verbose_name_plural = _("stretches of use")
        indexes = [models.Index(fields=["run_id", "kind", "-ended_at"]), models.Index(fields=["ended_at"])]
        constraints = [
            models.CheckConstraint(condition=models.Q(ended_at__gte=models.F("began_at")), name="use_span_ends_after_it_began"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} {self.kind} {self.began_at:%F %T}"


class Schedule(models.Model):
    """At a time of day on some weekdays: start an instance, or stop it, or all of a tenant's, as soon as they are free."""

    class Action(models.TextChoices):
        START = "start", _("start")
        STOP = "stop", _("stop")

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="schedules", verbose_name=_("tenant"))
    instance = models.ForeignKey(
        "engines.Instance", on_delete=models.CASCADE, null=True, blank=True, related_name="schedules", verbose_name=_("instance")
    )
    action = models.CharField(_("action"), max_length=5, choices=Action.choices)
    days = models.PositiveSmallIntegerField(_("days"), validators=[MinValueValidator(1), MaxValueValidator(EVERY_DAY)])
    at = models.TimeField(_("at"))
    time_zone = models.CharField(_("time zone"), max_length=64, validators=[validate_zone])
    enabled = models.BooleanField(_("enabled"), default=True)
    made_by = models.ForeignKey("tenants.User", on_delete=models.PROTECT, related_name="+", verbose_name=_("made by"))
    done_until = models.DateTimeField(_("done until"), help_text=_("Everything due up to then has been acted on."))

    class Meta:
        verbose_name = _("schedule")
        verbose_name_plural = _("schedules")
        ordering = ["at", "pk"]
        constraints = [
            # What a tenant's stop put to rest is not a list that a start could bring back.
            models.CheckConstraint(
                condition=models.Q(action="stop") | models.Q(instance__isnull=False), name="start_schedule_names_an_instance"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()} {self.at:%H:%M}"

    @property
    def weekdays(self) -> frozenset[int]:
        """0 is Monday."""
        return frozenset(day for day in range(7) if self.days >> day & 1)

    @property
    def day_names(self) -> str:
        """The weekdays in words."""
        if self.days == EVERY_DAY:
            return str(_("every day"))
        first, last = min(self.weekdays), max(self.weekdays)
        if 2 <= last - first == len(self.weekdays) - 1:
            return gettext("%(first)s to %(last)s") % {"first": WEEKDAYS[first], "last": WEEKDAYS[last]}
        return ", ".join(str(WEEKDAYS[day]) for day in sorted(self.weekdays))


def day_bits(days: Any) -> int:
    """The bit set of some weekdays, 0 for Monday."""
    return sum(1 << int(day) for day in set(days))
