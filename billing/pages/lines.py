"""From an amount to the lines of the books behind it, and from a line to what it follows from."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext as _

from billing.allocation import allocate, charges
from billing.calendars import Calendar
from billing.explaining import Explanation, explain
from billing.models import Charge
from billing.money import Money
from billing.pages.wanted import BadAddress, Wanted
from billing.queries import scope_of, visible_to
from tenants.errors import NotVisible
from tenants.models import Membership

PAGE = 100
"""Lines shown at once."""


@dataclass(frozen=True, slots=True)
class Lines:
    """A part of the lines, in the order of what they are about, and what all of them come to."""

    charges: list[Charge]
    after: int | None  # the number of the last one, where more follow
    count: int
    total: Money
    list_total: Money
    estimated: Money


def lines(membership: Membership, wanted: Wanted, calendar: Calendar, *, now: datetime, after: str = "") -> Lines:
    """Return the lines that are asked for, of those the member may see; count and total from the sums. Raises BadAddress."""
    scope, asked = visible_to(membership), wanted.asked(wanted.window)
    rows = charges(scope, asked, calendar)
    if after:
        rows = rows.filter(_following(scope, after))
    found = list(rows.select_related("owner", "gpu_class", "period").order_by("starts_at", "pk")[: PAGE + 1])
    shown = found[:PAGE]
    (part,) = allocate(scope, asked, calendar, live_at=now)
    portions = [portion for allocation in part.allocations for portion in allocation.portions.values()]
    currency = wanted.currency
    return Lines(
        charges=shown,
        after=shown[-1].pk if len(found) > PAGE else None,
        count=sum(portion.charge_count for portion in portions),
        total=Money.sum((Money(portion.amount, currency) for portion in portions), currency),
        list_total=Money.sum((Money(portion.list_amount, currency) for portion in portions), currency),
        estimated=Money.sum((Money(each.estimated, currency) for each in part.allocations), currency),
    )


def one_line(membership: Membership, pk: int) -> Explanation:
    """Explain one line; NotVisible unless it is there and the member's to see. Of usage, others' is left out."""
    found = Charge.objects.filter(visible_to(membership), pk=pk)
    charge = found.select_related("tenant", "owner", "instance", "volume", "gpu_class", "price__created_by", "period").first()
    if charge is None:
        raise NotVisible(_("There is nothing here, or it is not yours."))
    explanation = explain(charge)
    owner_id = scope_of(membership)
    if owner_id is not None:
        explanation.intervals[:] = [each for each in explanation.intervals if each.owner_id == owner_id]
    return explanation


def _following(scope: Q, after: str) -> Q:
    """Say of lines that they stand behind this one."""
    last = (
        Charge.objects.filter(scope, pk=int(after)).first() if after.isascii() and after.isdigit() and len(after) < 19 else None
    )
    if last is None:
        raise BadAddress({"after": _("There is no such line to go on from.")})
    return Q(starts_at__gt=last.starts_at) | Q(starts_at=last.starts_at, pk__gt=last.pk)
