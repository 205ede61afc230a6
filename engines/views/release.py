"""When engines are released: schedules of one, and limits and schedules of a whole team."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.forms import BaseForm
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from engines.models import Instance, Schedule
from engines.operations import idle_rules, schedules
from engines.queries.idle import own_limits, own_rule, policy_sentence
from engines.release_forms import ScheduleForm, TeamScheduleForm, TighterForm
from engines.views.instance_page import Bound, operable, submit
from tenants import access
from tenants.access import Action
from tenants.applying import is_applied
from tenants.membership import PortalRequest, member
from tenants.models import Membership


@require_GET
@login_required
def show(request: PortalRequest, tenant_slug: str) -> HttpResponse:
    """What holds for the whole team."""
    return _page(request, member(request, tenant_slug))


@require_POST
@login_required
def tighten(request: PortalRequest, tenant_slug: str) -> HttpResponse:
    """Set the team's own limits."""
    membership = _manager(request, tenant_slug)
    form = TighterForm(request.POST)
    return _submit(
        request, membership, ("tighter_form", form), lambda: idle_rules.tighten_release(by=membership, wanted=form.rule)
    )


@require_POST
@login_required
def remove_own(request: PortalRequest, tenant_slug: str) -> HttpResponse:
    """Back to the operators' rules alone."""
    membership = _manager(request, tenant_slug)
    idle_rules.remove_own_rule(by=membership)
    return redirect("release", tenant_slug)


@require_POST
@login_required
def add_to_team(request: PortalRequest, tenant_slug: str) -> HttpResponse:
    """Stop everything at a time of day."""
    membership = _manager(request, tenant_slug)
    form = TeamScheduleForm(request.POST)

    def apply() -> object:
        return schedules.add_schedule(by=membership, instance=None, schedule=form.schedule)

    return _submit(request, membership, ("schedule_form", form), apply)


@require_POST
@login_required
def add_to_instance(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Start or stop one instance at a time of day."""
    membership, row = operable(request, tenant_slug, slug)
    form = ScheduleForm(request.POST)

    def apply() -> None:
        schedules.add_schedule(by=membership, instance=row.instance, schedule=form.schedule)

    return submit(request, (membership, row), Bound("schedule_form", form, tab="release"), apply)


@require_POST
@login_required
def remove(request: PortalRequest, tenant_slug: str, pk: int) -> HttpResponse:
    """Take a schedule back."""
    membership = member(request, tenant_slug)
    schedule = get_object_or_404(Schedule.objects.select_related("instance__tenant"), pk=pk, tenant=membership.tenant)
    schedules.remove_schedule(by=membership, schedule=schedule)
    return redirect(_tab(schedule.instance) if schedule.instance else reverse("release", args=[tenant_slug]))


def _manager(request: PortalRequest, tenant_slug: str) -> Membership:
    membership = member(request, tenant_slug)
    access.require(membership, Action.OPERATE_ALL)
    return membership


def _tab(instance: Instance) -> str:
    return reverse("instance", args=[instance.tenant.slug, instance.slug]) + "?tab=release"


def _submit(
    request: PortalRequest, membership: Membership, bound: tuple[str, BaseForm], apply: Callable[[], object]
) -> HttpResponse:
    key, form = bound
    if is_applied(form, apply, reader=request.user):
        messages.success(request, _("Saved."))
        return redirect("release", membership.tenant.slug)
    return _page(request, membership, {key: form})


def _page(request: PortalRequest, membership: Membership, bound: dict[str, BaseForm] | None = None) -> HttpResponse:
    own = own_rule(membership.tenant_id)
    general = idle_rules.general_rule(membership.tenant_id)
    context = {
        "membership": membership,
        "may_manage_all": access.may(membership, Action.OPERATE_ALL),
        "general_sentence": policy_sentence(general.policy),
        "own": own,
        "own_sentence": policy_sentence(own_limits(own)) if own else "",
        "tighter_form": TighterForm.of(own or general),
        "schedules": Schedule.objects.filter(tenant=membership.tenant, instance=None),
        "schedule_form": TeamScheduleForm(initial={"time_zone": membership.user.time_zone}),
        **(bound or {}),
    }
    return render(request, "engines/release.html", context, status=422 if bound else 200)
