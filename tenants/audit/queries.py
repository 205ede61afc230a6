"""Reading the audit log: filtered, newest first, page by page behind a key that new events do not shift."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db.models import CharField, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Cast
from django.utils import timezone

from aigc_portal.keyset import behind
from tenants.audit.kinds import GROUPS, KINDS, group_of
from tenants.audit.models import AuditEvent
from tenants.models import Membership, Tenant

PAGE = 50
THE_PORTAL = "-"
"""Stands for the portal itself where a person is asked for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for; what is empty does not matter. Days are whole and the reader's own."""

    who: str = ""  # a username, of the person or of the operator behind; THE_PORTAL
    what: str = ""  # a kind, or the first part of several
    thing: str = ""  # part of the name of what it was done to, or its whole id
    since: date | None = None
    until: date | None = None  # the last day
    via: str = ""

    def of(self, events: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        """Return those that fit."""
        if self.who:
            events = events.filter(_by(self.who))
        if self.what:
            events = events.filter(Q(kind=self.what) | Q(kind__startswith=f"{self.what}."))
        if self.thing:
            events = events.filter(Q(subject_name__icontains=self.thing) | Q(subject_id=self.thing))
        if self.via:
            events = events.filter(via=self.via)
        if self.since:
            events = events.filter(at__gte=_begin_of(self.since))
        if self.until:
            events = events.filter(at__lt=_begin_of(self.until + timedelta(days=1)))
        return events

    @property
    def described(self) -> dict[str, str]:
        """What is asked for, as the log itself tells of an export."""
        given = {"who": self.who, "what": self.what, "thing": self.thing, "via": self.via}
        days = {"since": self.since, "until": self.until}
        return {name: value for name, value in given.items() if value} | {name: str(day) for name, day in days.items() if day}


@dataclass(frozen=True, slots=True)
class Page:
    """One page; `older` is the key behind which the next one begins, empty on the last."""

    events: list[AuditEvent]
    older: str


def events_of(tenant: Tenant) -> QuerySet[AuditEvent]:
    """Return what was done in a tenant, and with the accounts of its members since they are, newest first, with the people."""
    members = Membership.objects.filter(tenant=tenant, created_at__lte=OuterRef("at")).annotate(person=Cast("user", CharField()))
    of_accounts = Q(
        Exists(members.filter(person=OuterRef("subject_id"))), tenant=None, subject_kind="person", kind__startswith="account."
    )
    found = AuditEvent.objects.filter(Q(tenant=tenant) | of_accounts)
    return found.select_related("tenant", "actor", "behind").order_by("-at", "-pk")


def page_of(events: QuerySet[AuditEvent], *, before: str = "", size: int = PAGE) -> Page:
    """Return the events behind a key that an earlier page gave, or the first; a key that is none begins anew."""
    key = _read_key(before)
    rows = list((events if key is None else behind(events, "at", *key, newest_first=True))[: size + 1])
    return Page(rows[:size], _key_of(rows[size - 1]) if len(rows) > size else "")


def batches_of(events: QuerySet[AuditEvent], *, size: int = 500) -> Iterator[list[AuditEvent]]:
    """Yield all of them, a batch at a time, each by a query of its own."""
    page = page_of(events, size=size)
    while page.events:
        yield page.events
        if not page.older:
            return
        page = page_of(events, before=page.older, size=size)


def kinds_by_group() -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Return every group with its words and its kinds with theirs, by words."""
    grouped: dict[str, list[tuple[str, str]]] = {}
    for kind, words in KINDS.items():
        grouped.setdefault(group_of(kind), []).append((kind, str(words)))
    named = [(group, str(GROUPS.get(group, group)), sorted(kinds, key=_words)) for group, kinds in grouped.items()]
    return sorted(named, key=_words)


def _words(row: tuple[str, ...] | tuple[str, str, list[tuple[str, str]]]) -> str:
    return str(row[1]).casefold()


def _by(who: str) -> Q:
    if who == THE_PORTAL:
        return Q(actor=None, behind=None)
    return Q(actor__username__iexact=who) | Q(behind__username__iexact=who)


def _begin_of(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _key_of(event: AuditEvent) -> str:
    return f"{event.at.isoformat()}_{event.pk}"


def _read_key(text: str) -> tuple[datetime, int] | None:
    at, _, number = text.partition("_")
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return None
    return (
        (moment, int(number))
        if moment.tzinfo is not None and number.isascii() and number.isdecimal() and len(number) < 19
        else None
    )
