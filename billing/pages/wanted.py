"""What the address of a costs page asks for, and how the address of another is written. Filters live in the address alone.

`window` is written as in the API, `filter` too; the dimensions are parameters of their own beside it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import urlencode

from django.utils.translation import gettext as _

from billing.allocation import Asked
from billing.calendars import DAY, Calendar
from billing.dimensions import Condition, Conditions, NotAFilter, UnknownDimension, read_filter, write_filter
from billing.models import Charge
from billing.periods import Month
from billing.windows import LONGEST, EndsBeforeItBegins, NotAWindow, TooManyDays, Window, parse

DIMENSIONS: Mapping[str, str] = {
    "user": "user",
    "gpu_class": "gpu_class",
    "instance": "instance",
    "volume": "volume",
    "engine": "engine",
    "category": "charge_category",
    "project": "project",
}
"""Parameters that say what one dimension must be, and the dimension."""
BY = ("user", "gpu_class", "instance", "engine", "category", "project")
OWN_BY = ("instance", "gpu_class", "engine", "category", "project")
"""What the table can be divided by, and what by those who see only their own costs."""
STACKS = ("gpu_class", "user", "category")
"""What the columns can be."""
PRICES = ("net", "list")
_SWITCHES = {"by": BY, "stack": STACKS, "prices": PRICES, "corrections": ("", "1"), "category": ("", *Charge.Category.values)}
_LONGEST_VALUE = 200
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


class BadAddress(ValueError):
    """The address asks for what there is not; `errors` says by parameter what is wrong, in sentences for people."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__(", ".join(errors))
        self.errors = errors


@dataclass(frozen=True)
class Wanted:
    """A question to a page, and the parameters that it came from."""

    window: Window
    conditions: Conditions
    currency: str
    given: Mapping[str, str]
    is_own: bool = False  # asked by somebody who sees only their own costs

    @property
    def by_choices(self) -> tuple[str, ...]:
        """What the table can be divided by; the first is taken where nothing is asked."""
        return OWN_BY if self.is_own else BY

    @property
    def by(self) -> str:
        """What the table is divided by, as a parameter says it."""
        return self.given.get("by", self.by_choices[0])

    @property
    def stack_choices(self) -> tuple[str, ...]:
        """What the columns can be divided by; the first is taken where nothing is asked."""
        return tuple(name for name in STACKS if name != "user") if self.is_own else STACKS

    @property
    def stack(self) -> str:
        """What the columns are divided by, as a parameter says it."""
        return self.given.get("stack", STACKS[0])

    @property
    def at_list_prices(self) -> bool:
        """Tell whether list prices are asked for, not what is to be paid."""
        return self.given.get("prices") == "list"

    @property
    def is_narrowed(self) -> bool:
        """Tell whether it is about a part of the costs."""
        return bool(self.conditions) or "corrections" in self.given

    def asked(self, window: Window, *by: str, step: str = "") -> Asked:
        """Put it as a question to the sums about other days or divisions; `by` in the words of parameters."""
        names = tuple(DIMENSIONS[name] for name in by)
        return Asked(window, names, step, self.conditions, self.currency, corrections="corrections" in self.given)

    def address(self, **changes: str) -> str:
        """Write the query of the same question with something changed; the empty text takes a parameter out."""
        parameters = {name: value for name, value in {**self.given, **changes}.items() if value}
        return f"?{urlencode(parameters)}" if parameters else "?"

    @property
    def export_query(self) -> str:
        """Write the query of the page for files about the same lines; empty where that has no words for them."""
        values = [value for condition in self.conditions for value in condition.values]
        if {"corrections", "currency"} & self.given.keys() or any('"' in value for value in values):
            return ""
        return f"?{urlencode({'window': days_of(self.window), 'filter': write_filter(self.conditions)})}"

    def about(self, name: str, value: str) -> dict[str, str]:
        """Return what has to change to ask for one value of a dimension; "" is what has none."""
        if value:
            return {name: value}
        nothing = f'{DIMENSIONS[name]}:""'
        return {"filter": "+".join(filter(None, [self.given.get("filter"), nothing]))}


def read(parameters: Mapping[str, str], calendar: Calendar, now: datetime, *, is_own: bool) -> Wanted:
    """Read an address; of whoever sees only their own costs, `is_own`. Raises BadAddress with everything that is wrong."""
    given = normal(parameters)
    sentence = _("There is no “%(value)s” to choose for “%(name)s”.")
    errors = {name: sentence % {"value": given[name], "name": name} for name in _unknown_choices(given)}
    days = _window(given, calendar, now, errors)
    conditions = _conditions(given, errors)
    if not _CURRENCY.fullmatch(given.get("currency", "USD")):
        errors["currency"] = _("A currency is three capital letters, such as EUR.")
    if errors or days is None:
        raise BadAddress(errors)
    currency = given.get("currency") or calendar.currency_at(min(now, calendar.day_span(days.last)[0]))
    return Wanted(days, conditions, currency, given, is_own)


def normal(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return what is asked for, without what is empty or strange; `from` and `until`, both included, become a window."""
    given = {name: value.strip() for name, value in parameters.items() if name in _KNOWN and value.strip()}
    first, last = (parameters.get(name, "").strip() for name in ("from", "until"))
    if first or last:
        given["window"] = f"{first or last},{_day_after(last or first)}"
    return given


def _day_after(day: str) -> str:
    try:
        return str(date.fromisoformat(day) + DAY)
    except (OverflowError, ValueError):
        return day


def until_yesterday(window: Window, today: Window) -> Window | None:
    """Return the days of the window that are over; None if there are none."""
    if window.last < today.first:
        return window
    return Window(window.first, today.first - DAY) if window.first < today.first else None


def preceding(window: Window) -> Window:
    """Return what the window is compared with: the months before, the same days of the month before, or as many days before."""
    first = Month.of(window.first)
    if window.is_whole_months:
        months, month = 1, first
        while month.last_day < window.last:
            months, month = months + 1, month.following
        start = first
        for _number in range(months):
            start = start.preceding
        return Window(start.first_day, first.preceding.last_day)
    if window.first.day == 1 and Month.of(window.last) == first:
        before = first.preceding
        return Window(before.first_day, min(before.last_day, before.first_day + timedelta(days=window.length - 1)))
    return window.earlier(window.length)


def last_months(calendar: Calendar, now: datetime, count: int = 12) -> Window:
    """Return so many whole months, the present one the last."""
    last = month = calendar.month_of(now)
    for _number in range(count - 1):
        month = month.preceding
    return Window(month.first_day, last.last_day)


def days_of(window: Window) -> str:
    """Write the window as an address names it."""
    return f"{window.first},{window.last + DAY}"


_KNOWN = {"window", "filter", "currency", *DIMENSIONS, *_SWITCHES}


def _unknown_choices(given: Mapping[str, str]) -> list[str]:
    return [name for name, choices in _SWITCHES.items() if name in given and given[name] not in choices]


def _window(given: Mapping[str, str], calendar: Calendar, now: datetime, errors: dict[str, str]) -> Window | None:
    text = given.get("window", "month")
    try:
        found = parse(text, calendar, now)
    except NotAWindow as error:
        errors["window"] = _no_window(error, text)
        return None
    if found.first > calendar.day_of(now):
        errors["window"] = _("These days are still to come.")
        return None
    return found


def _no_window(error: NotAWindow, text: str) -> str:
    if isinstance(error, TooManyDays):
        return _("At most %(days)d days can be shown at once.") % {"days": LONGEST}
    if isinstance(error, EndsBeforeItBegins):
        return _("The last of these days is before the first.")
    return _("“%(window)s” names no days. Write, for example, month, 7d or 2026-03-01,2026-04-01.") % {"window": text}


def _conditions(given: Mapping[str, str], errors: dict[str, str]) -> Conditions:
    simple = []
    for name, dimension in DIMENSIONS.items():
        value = given.get(name, "")
        if len(value) > _LONGEST_VALUE or "\x00" in value:
            errors[name] = _("This is too long, or not a text.")
        elif value:
            simple.append(Condition(dimension, ":", (value,)))
    text = given.get("filter", "")
    try:
        return (*simple, *read_filter(text.replace("\x00", "")))
    except UnknownDimension as error:
        errors["filter"] = _("Costs cannot be told apart by “%(name)s”.") % {"name": error.name}
    except NotAFilter:
        errors["filter"] = _('“%(filter)s” is no filter. Write, for example, gpu_class:"h100"+project!:"".') % {"filter": text}
    return ()
