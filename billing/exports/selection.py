"""Which lines of the books a file has, as a queryset: the same lines that pages and the API add up for the same question."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from billing import allocation
from billing.allocation import Asked
from billing.calendars import Calendar
from billing.dimensions import OF_SUMS, Conditions, all_of
from billing.exports.formats import Basis, Detail
from billing.models import Charge
from billing.windows import Window


@dataclass(frozen=True, slots=True)
class Selection:
    """Lines of one tenant that were posted up to `as_of`. With Basis.INVOICE the window is whole months."""

    tenant_id: int
    window: Window
    calendar: Calendar
    as_of: datetime
    conditions: Conditions = ()
    basis: Basis = Basis.USAGE
    detail: Detail = Detail.NET

    def lines(self) -> QuerySet[Charge]:
        """Return all revisions, unordered."""
        scope = Q(tenant=self.tenant_id)
        if self.basis is Basis.USAGE:
            asked = Asked(self.window, conditions=self.conditions)
            found = allocation.charges(scope, asked, self.calendar)
        else:
            of_months = Q(period__month__gte=self.window.first, period__month__lte=self.window.last)
            found = Charge.objects.filter(scope, of_months, all_of(self.conditions, OF_SUMS))
        return found.filter(posted_at__lte=self.as_of).order_by()

    def rows(self, lines: QuerySet[Charge]) -> QuerySet[Charge]:
        """Return those of the lines that the file has. What is left out adds up to nothing."""
        return lines if self.detail is Detail.LEDGER else lines.filter(_standing(self.as_of))


def _standing(as_of: datetime) -> Q:
    """Leave out what a reversal took back within the same billing period, and that reversal.

    A reversal of something that an earlier period posted stays: it is what corrects it.
    """
    of_line = Charge.objects.filter(line_key=OuterRef("line_key"), period=OuterRef("period"), posted_at__lte=as_of).order_by()
    taken_back = of_line.filter(kind=Charge.Kind.REVERSAL, revision=OuterRef("revision") + 1)
    takes_back = of_line.exclude(kind=Charge.Kind.REVERSAL).filter(revision=OuterRef("revision") - 1)
    is_reversal = Q(kind=Charge.Kind.REVERSAL)
    return (~is_reversal & ~Exists(taken_back)) | (is_reversal & ~Exists(takes_back))
