"""Facts in doubt: which wait for somebody's word, what was said about others, and the page on which it is said."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import BooleanRadioFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from billing.admin.books import BookAdmin
from billing.doubtful import Standing, keys, load, named
from billing.errors import DecisionRefused
from billing.models import FactDecision
from billing.models.decisions import REASON_LENGTH
from billing.operations import decide, settle_facts
from billing.quarantine import Doubtful
from billing.supposing import changes_by
from tenants.access import operator_may
from tenants.console.fields import one_or_all
from tenants.console.pages import console_page
from tenants.models import Tenant, User

DECIDE = "billing.decide_factdecision"
PAGE = 20
TAKE, LEAVE_OUT = "take", "leave_out"


class WhichForm(forms.Form):
    """Which facts are shown."""

    standing = forms.ChoiceField(
        label=gettext_lazy("State"), choices=Standing.choices, required=False, widget=UnfoldAdminSelectWidget
    )
    of_tenant = one_or_all(gettext_lazy("Tenant"), Tenant.objects.all())


class DecisionForm(forms.Form):
    """Somebody's word."""

    word = forms.ChoiceField(
        choices=((TAKE, gettext_lazy("Take")), (LEAVE_OUT, gettext_lazy("Leave out"))),
        error_messages={"required": gettext_lazy("Say whether to take or to leave out.")},
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=REASON_LENGTH,
        widget=UnfoldAdminTextInputWidget,
        error_messages={"required": gettext_lazy("Say why: whoever audits the books will ask.")},
    )


@admin.register(FactDecision)
class FactDecisionAdmin(BookAdmin):
    """Decisions to look at, and the two pages on which they are made."""

    recorded_by_operations = True
    list_display = ("fact_shown", "counts", "reason", "decided_by", "decided_at")
    list_filter = (("counts", BooleanRadioFilter),)
    list_select_related = ("run_fact__instance", "volume_fact__volume", "decided_by")
    search_fields = ("reason", "run_fact__instance__name", "volume_fact__volume__name", "decided_by__username")

    def get_urls(self) -> list[URLPattern]:
        """Add them before Django's own, which would take their addresses for rows."""
        doubts, word = self.admin_site.admin_view(self.doubts), self.admin_site.admin_view(self.decide)
        return [
            path("doubts/", doubts, name="billing_factdecision_doubts"),
            path("doubts/decide/", word, name="billing_factdecision_decide"),
            *super().get_urls(),
        ]

    @display(description=gettext_lazy("fact"))
    def fact_shown(self, decision: FactDecision) -> str:
        fact = decision.run_fact or decision.volume_fact
        return "–" if fact is None else _told(Doubtful(fact))

    def doubts(self, request: HttpRequest) -> HttpResponse:
        """Show the facts that wait, or those that were taken or left out, of one tenant or of all."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        which = WhichForm({"standing": Standing.WAITING} | request.GET.dict())
        which.is_valid()
        standing = Standing(which.cleaned_data.get("standing") or Standing.WAITING)
        tenant = which.cleaned_data.get("of_tenant")
        page = Paginator(keys(standing, tenant), PAGE).get_page(request.GET.get("page"))
        facts = load(page.object_list)
        changes = changes_by([[each.fact] for each in facts], now=timezone.now()) if standing == Standing.WAITING else []
        context: dict[str, Any] = {
            "title": _("Facts in doubt"),
            "which": which,
            "standing": standing,
            "tenant": tenant,
            "page": page,
            "rows": list(zip(facts, changes, strict=True)) if changes else [(each, None) for each in facts],
            "may_decide": operator_may(request.user, DECIDE),
        }
        return console_page(self, request, "admin/billing/doubts.html", context)

    def decide(self, request: HttpRequest) -> HttpResponse:
        """Show the chosen facts and what taking them all would change; decide about them when that is confirmed."""
        if not self.has_view_permission(request) or not operator_may(request.user, DECIDE):
            raise PermissionDenied
        names = (request.POST if request.method == "POST" else request.GET).getlist("fact")
        if not names:
            messages.warning(request, _("Choose at least one fact."))
            return HttpResponseRedirect(_list(request))
        facts = named(names)
        if len(facts) < len(set(names)):
            raise Http404
        form = DecisionForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            _decide_all(request, facts, counts=form.cleaned_data["word"] == TAKE, reason=form.cleaned_data["reason"])
            return HttpResponseRedirect(_list(request))
        waiting = [each for each in facts if each.decision is None]
        [change] = changes_by([[each.fact for each in waiting]], now=timezone.now())
        context = {
            "title": _("Decide about facts in doubt"),
            "facts": facts,
            "waiting": waiting,
            "change": change,
            "form": form,
            "back": _list(request),
        }
        status = 422 if form.is_bound else 200
        return console_page(self, request, "admin/billing/decide_facts.html", context, status=status)


def _decide_all(request: HttpRequest, facts: list[Doubtful], *, counts: bool, reason: str) -> None:
    """Decide about each by itself, and say of each that was refused why; what was decided is settled at once."""
    now, decided = timezone.now(), []
    for each in facts:
        try:
            decide(fact=each.fact, counts=counts, reason=reason, now=now, by=cast("User", request.user))
        except DecisionRefused as refusal:
            messages.error(request, _("%(fact)s: %(why)s") % {"fact": _told(each), "why": refusal})
        else:
            decided.append(each.fact)
    if not decided:
        return
    settle_facts(decided, now=now)
    number = len(decided)
    if counts:
        told = ngettext("%(number)d fact is taken, and counts.", "%(number)d facts are taken, and count.", number)
    else:
        told = ngettext("%(number)d fact is left out.", "%(number)d facts are left out.", number)
    messages.success(request, told % {"number": number})


def _told(doubtful: Doubtful) -> str:
    return f"{doubtful.name} ({doubtful.subject.name}, {doubtful.fact.get_kind_display()})"


def _list(request: HttpRequest) -> str:
    """Return where the list is, of the tenant whose facts were looked at."""
    tenant = request.GET.get("of_tenant", "")
    query = {"of_tenant": tenant} if tenant.isascii() and tenant.isdigit() else None
    return reverse("admin:billing_factdecision_doubts", query=query)
