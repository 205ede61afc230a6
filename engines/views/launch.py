"""Launching an engine: every choice updates the page's offers and quote; nothing is launched until the button says so."""

from collections.abc import Mapping

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from engines.errors import NameTaken
from engines.forms import LaunchForm
from engines.operations.instances import launch_instance
from engines.queries.choices import Choices, choices_of, launchable
from engines.queries.launching import offered_engines
from engines.queries.limits import tightest
from engines.queries.projects import projects_of
from engines.quotas import Standing, standing_of
from tenants import access
from tenants.access import Action
from tenants.errors import NotAllowed, PortalError
from tenants.membership import PortalRequest, member
from tenants.models import Membership
from tenants.quotas.refusal import told


@require_http_methods(["GET", "POST"])
@login_required
def launch(request: PortalRequest, tenant_slug: str) -> HttpResponse:
    """Show the form, prefilled from the address or the last launch; launch when posted without `update`."""
    membership = member(request, tenant_slug)
    access.require(membership, Action.LAUNCH)
    form = None
    if request.method == "POST" and "update" not in request.POST:
        form = LaunchForm(request.POST)
        if form.is_valid() and _launched(membership, form):
            return redirect("instances", tenant_slug=tenant_slug)
    return _page(request, membership, form)


def _launched(membership: Membership, form: LaunchForm) -> bool:
    """Launch what was chosen, or put the refusal beside its field."""
    cleaned = form.cleaned_data
    chosen = launchable(membership, cleaned)
    if chosen is None:
        form.add_error(None, _("One of your choices is no longer offered. Look through them again."))
        return False
    if cleaned["storage"] == "attach" and chosen.volume is None:
        form.add_error("volume", _("This data cannot be attached now. Choose other data."))
        return False
    try:
        launch_instance(
            membership=membership,
            engine_version=chosen.version,
            gpu_class=chosen.gpu_class,
            name=cleaned["name"],
            volume=chosen.volume,
            size_gib=cleaned["size_gib"] or 50,
            tag=cleaned["tag"],
        )
    except NotAllowed:
        raise
    except NameTaken as refusal:
        form.add_error("name", str(refusal))
    except PortalError as refusal:
        form.add_error(None, told(refusal, membership.user))
    return not form.errors


def _page(request: PortalRequest, membership: Membership, refused: LaunchForm | None) -> HttpResponse:
    """Show all that is on offer, with the choices made so far, or with what was refused."""
    engines = offered_engines()
    if not engines:
        return render(request, "engines/launch_nothing.html", {"membership": membership})
    wanted: Mapping[str, str] = (request.POST or request.GET).dict()
    standing = standing_of(membership.tenant, membership.user)
    choices = choices_of(membership, standing, engines, wanted)
    form = refused or LaunchForm(initial=choices.initial)
    context = {
        "membership": membership,
        "choices": choices,
        "form": form,
        "projects": projects_of(membership),
        **_limits(standing, choices),
    }
    return render(request, "engines/launch.html", context, status=422 if form.errors else 200)


def _limits(standing: Standing, choices: Choices) -> dict[str, object]:
    """The limits that the launch would count against, and the first that it would exceed."""
    amount = choices.amount(standing.owner.pk)
    if amount is None or choices.option is None:
        return {"uses": [], "shortage": ""}
    uses = standing.uses(amount, classes=[choices.option.gpu_class])
    exceeded = next((use for use in uses if use.exceeded), None)
    refusal = told(standing.refusal(exceeded), standing.owner) if exceeded else ""
    return {"uses": tightest(uses), "shortage": refusal}
