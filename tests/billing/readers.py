"""Every place that tells what costs came to, asked alike: of one month's usage, as far as it is charged, with one filter.

A reader that is added to READERS is held against all others by test_agreement and test_agreement_laws.
"""

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import time_machine
from django.db.models import Q, Sum

from billing import allocation, sums
from billing.accounts import calendar_of, posted_to
from billing.allocation import Asked
from billing.dimensions import NOT_IN_MONTHS, OF_SUMS, all_of, read_filter
from billing.exports.formats import Format
from billing.exports.month import month_csv
from billing.models import Charge
from billing.pages.dashboard import dashboard
from billing.pages.wanted import read
from billing.periods import Month
from billing.queries import scope_of, visible_to
from billing.summaries import month_summary
from billing.windows import Window
from tenants.access_tokens.operations import Wanted, make_personal_token
from tenants.models import Membership
from tests.api.conftest import EVERY_SCOPE, Program
from tests.billing.exports.readers import sums_of_files


@dataclass(frozen=True)
class Question:
    """Who asks, about which month, at which moment and with which filter."""

    member: Membership
    month: Month
    now: datetime
    filter: str = ""

    @property
    def scope(self) -> Q:
        """Which rows are meant."""
        return visible_to(self.member) & all_of(read_filter(self.filter), OF_SUMS)

    @property
    def days(self) -> tuple[Any, Any]:
        return self.month.first_day, self.month.last_day

    @property
    def window(self) -> str:
        """As addresses have it."""
        return f"{self.month.first_day},{self.month.following.first_day}"

    @property
    def has_begun(self) -> bool:
        return self.month <= calendar_of(self.member.tenant).month_of(self.now)

    @property
    def asked(self) -> Asked:
        return Asked(Window(*self.days), conditions=read_filter(self.filter))


Said = tuple[Decimal, Decimal] | None
"""Net, and at list prices; None: this place cannot be asked so."""
Reader = Callable[[Question], Said]


def _added(rows: Iterable[Any]) -> Said:
    found = [(row.amount, row.list_amount) for row in rows]
    return sum((net for net, _listed in found), Decimal(0)), sum((listed for _net, listed in found), Decimal(0))


def of_charges(question: Question) -> Said:
    zero = Decimal(0)
    charges = Charge.objects.filter(question.scope, day__range=question.days)
    found = charges.aggregate(net=Sum("amount", default=zero), listed=Sum("list_amount", default=zero))
    return found["net"], found["listed"]


def of_days(question: Question) -> Said:
    return _added(sums.by_day(question.scope, *question.days, by=("day", "instance", "volume")))


def of_months(question: Question) -> Said:
    if {condition.name for condition in read_filter(question.filter)} & NOT_IN_MONTHS:
        return None
    return _added(sums.by_month(question.scope, question.month, question.month, by=("owner", "category")))


def of_the_months_page(question: Question) -> Said:
    if question.filter:
        return None
    summary = month_summary(question.member, question.month, now=question.now)
    listed = of_charges(question)
    return None if listed is None else (summary.total.amount - summary.estimated.amount, listed[1])


def of_the_months_file(question: Question) -> Said:
    if question.filter:
        return None
    summary = month_summary(question.member, question.month, now=question.now)
    rows = csv.DictReader(io.StringIO("".join(month_csv(summary)).removeprefix("\ufeff"), newline=""))
    listed = of_charges(question)
    return None if listed is None else (sum((Decimal(row["charged"]) for row in rows), Decimal(0)), listed[1])


def of_the_costs_page(question: Question) -> Said:
    calendar = calendar_of(question.member.tenant)
    if not question.has_begun:
        return None
    said = []
    for prices in ("net", "list"):
        given = {"window": question.window, "filter": question.filter, "prices": prices}
        wanted = read(given, calendar, question.now, is_own=scope_of(question.member) is not None)
        said.append(dashboard(question.member, wanted, calendar, now=question.now).total.booked)
    return said[0], said[1]


def of_the_past(question: Question) -> Said:
    """The charges, as of the last posting."""
    calendar, at = calendar_of(question.member.tenant), posted_to(question.member.tenant_id) or question.now
    parts = allocation.allocate(visible_to(question.member), question.asked, calendar, as_of=at)
    return _added(each for part in parts for each in part.allocations)


def ask(question: Question, to: str, **more: str) -> Any:
    """Ask the API as the member."""
    made = make_personal_token(person=question.member.user, membership=None, wanted=Wanted("a", EVERY_SCOPE, timedelta(days=1)))
    query = urlencode({"window": question.window, "filter": question.filter, **more})
    answer = Program(made.secret)("GET", f"/tenants/{question.member.tenant.slug}/billing/{to}?{query}")
    made.token.delete()
    assert answer.status_code == 200, answer.content
    return answer.json()


def of_allocations(question: Question) -> Said:
    """By the API, divided; the parts are what the total is."""
    with time_machine.travel(question.now, tick=False):
        answer = ask(question, "allocation", aggregate="user,charge_category", step="1d")
    parts = [(Decimal(each["totalCost"]), Decimal(each["listCost"])) for part in answer["data"] for each in part.values()]
    said = sum((net for net, _ in parts), Decimal(0)), sum((listed for _, listed in parts), Decimal(0))
    assert said == (Decimal(answer["total"]["totalCost"]), Decimal(answer["total"]["listCost"]))
    return said


def of_allocations_as_of(question: Question) -> Said:
    """By the API, as of what it says itself."""
    with time_machine.travel(question.now, tick=False):
        as_of = ask(question, "allocation")["asOf"]
        total = ask(question, "allocation", **({"asOf": as_of} if as_of else {}))["total"]
    return Decimal(total["totalCost"]), Decimal(total["listCost"])


def of_lines(question: Question) -> Said:
    """By the API, line by line; each amount follows from its own line."""
    cursor, net, listed = "", Decimal(0), Decimal(0)
    with time_machine.travel(question.now, tick=False):
        while cursor is not None:
            answer = ask(question, "lines", limit="200", cursor=cursor)
            net += sum(Decimal(line["amount"]) for line in answer["items"])
            listed += sum(Decimal(line["listAmount"]) for line in answer["items"])
            cursor = answer["nextCursor"]
    return net, listed


READERS: dict[str, Reader] = {
    "charges": of_charges,
    "days": of_days,
    "months": of_months,
    "page of a month": of_the_months_page,
    "file of a month": of_the_months_file,
    "costs page": of_the_costs_page,
    "as of the last posting": of_the_past,
    "API: allocation": of_allocations,
    "API: allocation as of": of_allocations_as_of,
    "API: lines": of_lines,
}

"""Those that read within the transaction of a test."""


def _of_files(format_: Format) -> Reader:
    def read(question: Question) -> Said:
        as_of = posted_to(question.member.tenant_id) or question.now
        files = sums_of_files(question.member.tenant, Window(*question.days), as_of, filter_=question.filter, formats=[format_])
        return next(iter(files[format_].values()), (Decimal(0), Decimal(0)))

    return read


FILES: dict[str, Reader] = {f"export: {format_.value}": _of_files(format_) for format_ in Format}
"""What is written over a connection of its own, which sees what is committed."""


def agreed(question: Question, readers: dict[str, Reader] = READERS) -> tuple[Decimal, Decimal]:
    """Assert that all places say the same to the last digit, and return it: net, and at list prices."""
    said = {name: found for name, reader in readers.items() if (found := reader(question)) is not None}
    if question.has_begun and not question.filter:
        assert said.keys() == readers.keys()
    assert len(set(said.values())) == 1, said
    return said["charges"]
