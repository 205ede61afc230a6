"""What people are told of, as data: the words, the link, and how it reaches them.

A kind's title and sentence are templates over the notification's context; `example` shows every key that a context must have.
Keys that end in `_at` are moments in ISO 8601, shown in the reader's zone. `why` is a sentence and `role` a word of our own
catalogue, in English, and translated for the reader; everything else is shown as it is.

Notifications live for months: a kind that nothing tells of any more stays here as long, and one that comes to need other keys is
a new kind.
"""

from collections.abc import Mapping
from datetime import timedelta

from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from tenants.notifications.cost_kinds import COST_KINDS
from tenants.notifications.kind import Category, Channel, Kind
from tenants.notifications.team_kinds import TEAM_KINDS


def _instance(tenant_slug: str, subject: str) -> str:
    return reverse("instance", args=[tenant_slug, subject])


def _engines(tenant_slug: str, _subject: str) -> str:
    return reverse("instances", args=[tenant_slug])


def _limits(tenant_slug: str, _subject: str) -> str:
    return reverse("limits", args=[tenant_slug])


def _exports(tenant_slug: str, _subject: str) -> str:
    return reverse("costs-exports", args=[tenant_slug])


def _webhook(tenant_slug: str, subject: str) -> str:
    return reverse("webhook", args=[tenant_slug, subject])


_EVERY_KIND = (
    Kind(
        name="idle_warning",
        event="instance.idle_warning",
        category=Category.ENGINES,
        label=_("An engine is about to be paused because nobody uses it"),
        title=ngettext_lazy(
            "“%(name)s” will be paused in %(minutes)d minute",
            "“%(name)s” will be paused in %(minutes)d minutes",
            "minutes",
        ),
        sentence=_("Nobody has used it for a while. Open it, or keep it on from its page, if you need it. Its data is kept."),
        link=_instance,
        example={"name": "Dragon", "minutes": 10},
        mail_patience=timedelta(minutes=15),
    ),
    Kind(
        name="idle_released",
        event="instance.idle_released",
        category=Category.ENGINES,
        label=_("An engine was paused because nobody used it"),
        title=_("“%(name)s” was paused"),
        sentence=ngettext_lazy(
            "Nobody had used it for %(minutes)d minute, so its GPU is free for others. Open it to have it back with its data.",
            "Nobody had used it for %(minutes)d minutes, so its GPU is free for others. Open it to have it back with its data.",
            "minutes",
        ),
        link=_instance,
        example={"name": "Dragon", "minutes": 60},
    ),
    Kind(
        name="probe_unknown",
        event="instance.probe_unknown",
        category=Category.ENGINES,
        label=_("The portal cannot tell whether an engine is busy"),
        title=_("The portal cannot tell whether “%(name)s” is busy"),
        sentence=ngettext_lazy(
            "The engine has not said for %(minutes)d minute. It stays on and costs money until somebody pauses it.",
            "The engine has not said for %(minutes)d minutes. It stays on and costs money until somebody pauses it.",
            "minutes",
        ),
        link=_instance,
        example={"name": "Dragon", "minutes": 30},
    ),
    Kind(
        name="busy_too_long",
        event="instance.busy_too_long",
        category=Category.ENGINES,
        label=_("An engine has been busy for very long"),
        title=ngettext_lazy(
            "“%(name)s” has been busy for %(hours)d hour",
            "“%(name)s” has been busy for %(hours)d hours",
            "hours",
        ),
        sentence=_("If that surprises you, look at what it is doing: work that hangs holds on to its GPU."),
        link=_instance,
        example={"name": "Dragon", "hours": 12},
    ),
    Kind(
        name="life_ends",
        event="instance.life_ends",
        category=Category.ENGINES,
        label=_("An engine has run nearly as long as it may"),
        title=_("“%(name)s” has run nearly as long as it may"),
        sentence=_(
            "It will be paused at %(ends_at)s or, if it is busy, once it is free. Its data is kept, and you can start it again."
        ),
        link=_instance,
        example={"name": "Dragon", "ends_at": "2027-01-31T18:00:00+00:00"},
        mail_patience=timedelta(hours=1),
    ),
    Kind(
        name="schedule_stops",
        event="instance.schedule_stops",
        category=Category.ENGINES,
        label=_("An engine is about to be paused by its schedule"),
        title=_("“%(name)s” will be paused by its schedule"),
        sentence=_(
            "It will be paused at %(stops_at)s or, if it is busy, once it is free. Keep it on from its page if you need it."
        ),
        link=_instance,
        example={"name": "Dragon", "stops_at": "2027-01-31T18:00:00+00:00"},
        mail_patience=timedelta(hours=1),
    ),
    Kind(
        name="instance_failed",
        event="instance.failed",
        category=Category.ENGINES,
        label=_("An engine failed"),
        title=_("“%(name)s” failed"),
        sentence=_("%(why)s Its page says what you can do."),
        link=_instance,
        example={"name": "Dragon", "why": "The engine ended by itself."},
    ),
    Kind(
        name="share_given",
        event="share.given",
        category=Category.PEOPLE,
        label=_("Somebody shares an engine with you"),
        title=_("%(by)s shares “%(name)s” with you"),
        sentence=_("You can open the engine from your list, and wake it when it is paused."),
        link=_instance,
        example={"name": "Dragon", "by": "alice"},
    ),
    Kind(
        name="share_ended",
        event="share.ended",
        category=Category.PEOPLE,
        label=_("An engine is no longer shared with you"),
        title=_("“%(name)s” is no longer shared with you"),
        sentence=_("You cannot open the engine any more. Ask its owner if you still need it."),
        link=_engines,
        example={"name": "Dragon"},
    ),
    Kind(
        name="handed_over",
        event="instance.handed_over",
        category=Category.PEOPLE,
        label=_("An engine was handed over to you"),
        title=_("%(by)s handed “%(name)s” over to you"),
        sentence=_("The engine and its data are yours now, and so is what it costs from now on."),
        link=_instance,
        example={"name": "Dragon", "by": "alice"},
    ),
    Kind(
        name="taken_over",
        event="instance.taken_over",
        category=Category.PEOPLE,
        label=_("An engine of yours was handed over to somebody else"),
        title=_("%(by)s handed “%(name)s” over to %(to)s"),
        sentence=_("The engine and its data are not yours any more. What it cost until now stays with you."),
        link=_engines,
        example={"name": "Dragon", "by": "anna", "to": "carol"},
    ),
    *TEAM_KINDS,
    *COST_KINDS,
    Kind(
        name="limit_asked",
        event="limit.asked",
        category=Category.PEOPLE,
        label=_("Somebody asks for a higher limit"),
        title=_("%(by)s asks for a higher limit"),
        sentence=_("%(why)s They want %(wanted)s: “%(reason)s”"),
        link=_limits,
        example={"by": "alice", "why": "It is about GPUs.", "wanted": "4", "reason": "Two shots are due on Friday."},
    ),
    Kind(
        name="limit_raised",
        event="limit.raised",
        category=Category.PEOPLE,
        label=_("A limit was raised because you asked"),
        title=_("You have a higher limit"),
        sentence=_("%(why)s %(by)s raised it to %(granted)s. %(word)s"),
        link=_limits,
        example={"by": "anna", "why": "It is about GPUs.", "granted": "4", "word": "Until Friday."},
    ),
    Kind(
        name="limit_refused",
        event="limit.refused",
        category=Category.PEOPLE,
        label=_("Your request for a higher limit was refused"),
        title=_("Your request for a higher limit was refused"),
        sentence=_("%(why)s %(by)s says: “%(word)s”"),
        link=_limits,
        example={"by": "anna", "why": "It is about GPUs.", "word": "Not this month."},
    ),
    Kind(
        name="limit_passed_on",
        event="limit.passed_on",
        category=Category.PEOPLE,
        label=_("Your request for a higher limit was passed on to operators"),
        title=_("Operators decide about your request for a higher limit"),
        sentence=_("%(why)s %(by)s passed it on, as only operators can raise this one. %(word)s"),
        link=_limits,
        example={"by": "anna", "why": "It is about GPUs.", "word": "I am for it."},
    ),
    Kind(
        name="costs_report",
        event="costs.report",
        category=Category.COSTS,
        label=_("The monthly report of costs is ready"),
        title=_("What %(tenant)s cost in %(month)s"),
        sentence=_("It came to %(amount)s. The report with every line is among the exports, for those who may see all costs."),
        link=_exports,
        example={"tenant": "Acme Studio", "month": "2026-03", "amount": "USD 1,234.50"},
        on_request=True,
    ),
    Kind(
        name="token_created",
        event="token.created",
        category=Category.SECURITY,
        label=_("A token was made in your name"),
        title=_("The token “%(name)s” was made in your name"),
        sentence=_("%(by)s made it. Whoever has it can use your engines. If it was not you, revoke it and change your password."),
        link=_engines,
        example={"name": "blender-plugin", "by": "alice"},
    ),
    Kind(
        name="webhook_disabled",
        event="webhook.disabled",
        category=Category.PORTAL,
        label=_("A webhook was turned off because it does not answer"),
        title=_("The webhook to %(host)s was turned off"),
        sentence=_("%(why)s What happens from now on is not sent to it until somebody turns it on again."),
        link=_webhook,
        example={"host": "hooks.example.com", "why": "It has failed for three days."},
    ),
    Kind(
        name="operator_message",
        event="portal.operator_message",
        category=Category.PORTAL,
        label=_("Operators write about your engines"),
        title=_("A message about %(names)s"),
        sentence=_("%(by)s, who operates the portal, writes: “%(message)s”."),
        link=_engines,
        example={"names": "Dragon, Wyvern", "message": "They are paused tonight for an hour", "by": "olga"},
    ),
    Kind(
        name="test",
        event="portal.test",
        category=Category.PORTAL,
        label=_("A test"),
        title=_("This is a test"),
        sentence=_("%(by)s asked the portal to send it. Nothing has happened."),
        link=_webhook,
        example={"by": "alice"},
        channels=frozenset({Channel.WEBHOOK}),
    ),
)

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _EVERY_KIND}
CHOSEN_BY_PEOPLE = [kind for kind in _EVERY_KIND if Channel.WEBHOOK in kind.channels and kind.name != "test"]
"""Kinds that a webhook may choose; a test reaches the one that was asked for, whatever it chose."""
