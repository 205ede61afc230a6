"""The form in which a costs page is asked. What was asked stands in it again, also where it cannot be answered."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Q
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from billing.calendars import Calendar
from billing.models import Charge, MonthRollup
from billing.pages.labels import Labels, title
from billing.pages.wanted import DIMENSIONS, Wanted, days_of, last_months
from billing.periods import Month, months_back
from billing.queries import scope_of, visible_to
from billing.windows import NotAWindow, Window, parse
from tenants.models import Membership

PEOPLE = 200
"""More people than these are not offered to choose from; their name is typed."""
Option = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Field:
    """One field: something to choose from, or to type where there are no options."""

    name: str
    label: str
    value: str
    options: Sequence[Option] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Narrowing:
    """A further condition of the address, and how it is taken out."""

    name: str
    label: str
    value: str
    shown: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """All fields of a page, with what was asked and what is wrong with it."""

    fields: list[Field]
    narrowings: list[Narrowing]
    hidden: list[Option]
    corrections: bool
    is_asked: bool = False  # something other than what is shown anyway
    errors: Mapping[str, str] = field(default_factory=dict)


def form(membership: Membership, given: Mapping[str, str], calendar: Calendar, now: datetime, errors: Mapping[str, str]) -> Form:
    """Return the form for an address as it was given; `errors` says by parameter what is wrong with it. Two queries."""
    labels = Labels(membership)
    offered = _offered(membership, labels, given, calendar, now)
    return Form(
        fields=[_field(name, *offered[name], given, errors) for name in offered],
        narrowings=[
            Narrowing(
                name=name,
                label=_("Filter") if name == "filter" else title(name),
                value=given[name],
                shown=labels.of(name, [given[name]])[given[name]],
                error=errors.get(name, ""),
            )
            for name in (*DIMENSIONS, "filter")
            if name in given and name not in offered
        ],
        hidden=[(name, given[name]) for name in ("by", "stack", "prices") if name in given and name not in errors],
        corrections="corrections" in given,
        is_asked=any(given.get(name) for name in (*offered, *DIMENSIONS, "filter", "corrections")),
        errors=errors,
    )


def _offered(
    membership: Membership, labels: Labels, given: Mapping[str, str], calendar: Calendar, now: datetime
) -> dict[str, tuple[str, list[Option]]]:
    """Return what there is to choose from, among what the member may see: label and options by parameter."""
    window = last_months(calendar, now)
    months = MonthRollup.objects.filter(visible_to(membership), month__gte=window.first).order_by()
    found = months.aggregate(
        people=ArrayAgg("owner__username", distinct=True, filter=Q(owner__isnull=False), default=[]),
        classes=ArrayAgg("gpu_class__slug", distinct=True, filter=Q(gpu_class__isnull=False), default=[]),
        currencies=ArrayAgg("currency", distinct=True, default=[]),
    )
    offered: dict[str, tuple[str, list[Option]]] = {"window": (_("Days"), _windows(calendar, now, window, given.get("window")))}
    if scope_of(membership) is None:
        people = [(name, name) for name in found["people"]]
        offered["user"] = (title("user"), [("", pgettext("of a team", "everybody")), *people] if len(people) <= PEOPLE else [])
    classes = labels.of("gpu_class", found["classes"])
    offered["gpu_class"] = (title("gpu_class"), [("", _("all")), *classes.items()])
    categories = [(str(value), str(label)) for value, label in Charge.Category.choices]
    offered["category"] = (title("category"), [("", _("all")), *categories])
    currencies = sorted({*found["currencies"], calendar.currency_at(now)})
    if len(currencies) > 1:
        offered["currency"] = (_("Currency"), [("", _("the present one")), *((code, code) for code in currencies)])
    return offered


def _field(name: str, label: str, options: list[Option], given: Mapping[str, str], errors: Mapping[str, str]) -> Field:
    """Offer what is asked for too, even where it is not to be had."""
    value = given.get(name, "")
    is_strange = options and value and value not in dict(options)
    return Field(name, label, value, [*options, (value, value)] if is_strange else options, errors.get(name, ""))


def _windows(calendar: Calendar, now: datetime, months: Window, asked: str | None) -> list[Option]:
    each = months_back(calendar.month_of(now).preceding, Month.of(months.first))
    windows = [
        *_named(),
        (days_of(months), _("Last twelve months")),
        *((days_of(Window(m.first_day, m.last_day)), date_format(m.first_day, "YEAR_MONTH_FORMAT")) for m in each),
    ]
    if asked and asked not in dict(windows):
        with suppress(NotAWindow):
            windows.append((asked, days_text(parse(asked, calendar, now))))
    return windows


def _named() -> list[Option]:
    lengths = [
        (f"{days}d", ngettext("Last %(count)d day", "Last %(count)d days", days) % {"count": days}) for days in (7, 31, 90)
    ]
    return [("month", _("This month so far")), ("lastmonth", _("Last month")), ("today", _("Today")), *lengths]


def span_text(wanted: Wanted) -> str:
    """Name the days that are asked for as the form does, or else write them."""
    return dict(_named()).get(wanted.given.get("window", "month")) or days_text(wanted.window)


def days_text(window: Window) -> str:
    """Write the days of a window for people."""
    first, last = date_format(window.first), date_format(window.last)
    if window.is_whole_months and Month.of(window.first) == Month.of(window.last):
        return date_format(window.first, "YEAR_MONTH_FORMAT")
    return first if first == last else f"{first} – {last}"
