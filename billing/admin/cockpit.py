"""The close cockpit: how far each account's month is, and the one button that closes it for ever."""

from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from billing.auditing import verify
from billing.closing import grace
from billing.cockpit import standings
from billing.errors import ClosingRefused
from billing.models import BillingPeriod
from billing.operations import close_period
from billing.periods import Month
from tenants.access import operator_may
from tenants.console.pages import console_page
from tenants.models import User

CLOSE = "billing.close_billingperiod"
PAGE = 20
MONTHS = 24


class Cockpit(ModelAdmin):
    """The two pages, for the admin of billing periods."""

    def get_urls(self) -> list[URLPattern]:
        """Add them before Django's own, which would take their addresses for rows."""
        cockpit, close = self.admin_site.admin_view(self.cockpit), self.admin_site.admin_view(self.close)
        return [
            path("cockpit/", cockpit, name="billing_billingperiod_cockpit"),
            path("<int:object_id>/close/", close, name="billing_billingperiod_close"),
            *super().get_urls(),
        ]

    def cockpit(self, request: HttpRequest) -> HttpResponse:
        """Show a month of all accounts that have one; `verify=1` checks the books of those that are shown."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        now = timezone.now()
        months = [Month.of(day) for day in BillingPeriod.objects.order_by("-month").values_list("month", flat=True).distinct()]
        asked = request.GET.get("month", "")
        month = _asked(asked, months, Month.of(now.date()).preceding)
        periods = BillingPeriod.objects.filter(month=month.first_day).select_related("tenant", "closed_by")
        page = Paginator(periods.order_by("tenant__name", "pk"), PAGE).get_page(request.GET.get("page"))
        verified = request.GET.get("verify") == "1"
        context: dict[str, Any] = {
            "title": _("Closing of months"),
            "month": month,
            "not_there": "" if asked == str(month) else asked,
            "months": months[:MONTHS],
            "page": page,
            "standings": standings(page.object_list, now=now, verified=verified),
            "verified": verified,
            "may_close": operator_may(request.user, CLOSE),
            "grace_hours": int(grace().total_seconds()) // 3600,
        }
        return console_page(self, request, "admin/billing/cockpit.html", context)

    def close(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Show all that is known of one month, and close it when that is confirmed."""
        if not self.has_view_permission(request) or not operator_may(request.user, CLOSE):
            raise PermissionDenied
        period = BillingPeriod.objects.select_related("tenant", "closed_by").filter(pk=object_id).first()
        if period is None:
            raise Http404
        if request.method == "POST":
            return _closed(request, period)
        [standing] = standings([period], now=timezone.now(), verified=True)
        context = {"title": _("Close %(period)s") % {"period": period}, "standing": standing, "period": period}
        return console_page(self, request, "admin/billing/close_period.html", context)


def _closed(request: HttpRequest, period: BillingPeriod) -> HttpResponse:
    """Close it, or say why not; of two operators who do so at once the second is told that it is closed already."""
    try:
        _require_right_books(period)
        closed = close_period(period=period, now=timezone.now(), by=cast("User", request.user))
    except ClosingRefused as refusal:
        messages.error(request, _("%(period)s was not closed: %(why)s") % {"period": period, "why": refusal})
    else:
        told = {"period": closed, "amount": closed.money, "digest": closed.digest}
        messages.success(request, _("%(period)s is closed with %(amount)s. Its digest: %(digest)s") % told)
    return HttpResponseRedirect(f"{reverse('admin:billing_billingperiod_cockpit')}?month={period.label}")


def _require_right_books(period: BillingPeriod) -> None:
    """Refuse to seal what is wrong, beyond what closing looks at itself. Raises ClosingRefused."""
    if not period.is_closed and verify(tenant=period.tenant, month=period.month):
        raise ClosingRefused(_("its books are not right; see “manage.py billing verify”."))


def _asked(text: str, months: list[Month], usual: Month) -> Month:
    """Return the month that the address asks for if there is one, else last month or the newest there is."""
    try:
        asked = Month.parse(text)
    except ValueError:
        asked = usual
    return asked if asked in months or not months else min(months, key=lambda month: (month != usual, -month.year, -month.number))
