"""How programs ask the books: a window, a filter, a currency and a moment, in the words of OpenCost's allocation API.

A word that the books do not know is refused with 400, and `errors` names the parameter: whoever adds costs up by a question that
was half understood adds up something else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _
from pydantic import AwareDatetime, Field

from aigc_portal.api.problems import Problem, invalid
from aigc_portal.api.schemas import CamelInput, CamelOutput
from billing.accounts import calendar_of, posted_to
from billing.allocation import LIMIT, Asked, SeveralCurrencies, TooManySums
from billing.api.shapes import Exactly
from billing.calendars import Calendar
from billing.dimensions import OF_SUMS, NotAFilter, UnknownDimension, read_dimensions, read_filter
from billing.queries import scope_of, snapshot, visible_to
from billing.windows import LONGEST, STEPS, NotAWindow, Window, parse
from tenants.models import Membership

DIMENSIONS = ", ".join(OF_SUMS)


class Question(CamelInput):
    """Which charges are meant."""

    window: str = Field(
        max_length=80,
        description=(
            "Whole days of the account's time zone: today, yesterday, week, lastweek, month, lastmonth, 7d, 2w, “7d offset 1w”, "
            "or the first day and the one after the last, joined by a comma: 2026-03-01,2026-04-01, or as RFC 3339 or Unix time."
        ),
        examples=["lastmonth"],
    )
    filter: str = Field(
        "",
        max_length=2000,
        description=(
            'e.g. gpu_class:"h100","l4"+user!:"ann". “+” is and, “,” is or; “:” is, “!:” is not, “~:” contains; "" is none. '
            f"Dimensions: {DIMENSIONS}."
        ),
    )
    currency: str = Field(
        "", pattern="^([A-Z]{3})?$", description="ISO 4217. Needed only where the account changed its currency within the window."
    )
    as_of: AwareDatetime | None = Field(
        None, description="Only what was posted until then. Asked as of the `asOf` of an answer, the answer is the same for ever."
    )


class WindowOut(CamelOutput):
    """A stretch of time, its end excluded."""

    start: datetime
    end: datetime


class AnswerOut(CamelOutput):
    """What every answer of the books says of itself."""

    window: WindowOut
    time_zone: str = Field(description="Whose days these are.")
    currency: str = Field(description="ISO 4217; of every amount.")
    as_of: Exactly | None = Field(
        description="The last posting that is counted; what was posted until then never changes. Null: nothing was posted yet."
    )
    own_only: bool = Field(description="Only what the token's user caused; others' costs are not theirs to see.")


@dataclass(frozen=True, slots=True)
class Books:
    """The books of one account as a member may see them, in one snapshot of the database."""

    membership: Membership
    calendar: Calendar
    scope: Q
    now: datetime
    posted_to: datetime | None

    def window(self, text: str) -> Window:
        """Read a window; Problem."""
        try:
            return parse(text, self.calendar, self.now)
        except NotAWindow as error:
            sentence = _("These are no whole days of the account, or more than %(longest)d, or before 2000.")
            raise invalid("query", "window", sentence % {"longest": LONGEST}) from error

    def asked(self, wanted: Question, *, aggregate: str = "", step: str = "") -> Asked:
        """Read a question; Problem that names the parameter which is not understood."""
        if step not in {"", *STEPS}:
            raise invalid("query", "step", _("Steps are %(steps)s.") % {"steps": ", ".join(STEPS)})
        window = self.window(wanted.window)
        try:
            by = read_dimensions(aggregate)
        except UnknownDimension as error:
            raise _unknown("aggregate", error) from error
        try:
            return Asked(window, by, step, read_filter(wanted.filter), wanted.currency)
        except UnknownDimension as error:
            raise _unknown("filter", error) from error
        except NotAFilter as error:
            raise invalid("query", "filter", _('A filter is written as gpu_class:"h100"+user!:"ann".')) from error

    def past(self, as_of: datetime | None) -> datetime | None:
        """Return as of when to read; None: as they are. Problem for a moment that is still to come."""
        if as_of is None:
            return None
        if as_of > max(self.now, self.posted_to or self.now) or as_of.year < 2000:
            raise invalid("query", "asOf", _("This is no moment that the books were there at."))
        return None if self.posted_to is None or as_of >= self.posted_to else as_of

    def about(self, asked: Asked, past: datetime | None) -> dict[str, Any]:
        """Return the fields of AnswerOut."""
        start, end = asked.window.moments(self.calendar)
        return {
            "window": WindowOut(start=start, end=end),
            "time_zone": self.calendar.period_at(self.now).time_zone,
            "currency": asked.currency or self.calendar.currency_at(min(self.now, start)),
            "as_of": self.posted_to if past is None else past,
            "own_only": scope_of(self.membership) is not None,
        }


@contextmanager
def books_of(membership: Membership, now: datetime) -> Iterator[Books]:
    """Open the books for one answer, all of which is read in one snapshot. What cannot be added up is a Problem."""
    with snapshot():
        calendar = calendar_of(membership.tenant)
        books = Books(membership, calendar, visible_to(membership), now, posted_to(membership.tenant_id))
        try:
            yield books
        except SeveralCurrencies as error:
            sentence = _("These costs are in %(currencies)s, which do not add up. Choose one.")
            raise invalid("query", "currency", sentence % {"currencies": ", ".join(error.currencies)}) from error
        except TooManySums as error:
            sentence = _("That makes more than %(limit)d sums. Ask for a longer step, fewer dimensions or a shorter window.")
            raise invalid("query", "step", sentence % {"limit": LIMIT}) from error


def _unknown(parameter: str, error: UnknownDimension) -> Problem:
    sentence = _("There is no dimension “%(name)s”. There are: %(dimensions)s.")
    return invalid("query", parameter, sentence % {"name": error.name[:60], "dimensions": DIMENSIONS})
