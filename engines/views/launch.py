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
from engines.queries.choices import Choices, choices_of
from engines.queries.launching import offered_engines, room_of
from engines.views.membership import PortalRequest, member
from tenants import access
from tenants.access import Action
from tenants.errors import NotAllowed, PortalError
from tenants.models import Membership


@require_http_methods(["GET", "POST"])
@login_required
def launch(request: PortalRequest, tenant_slug: str) -> HttpResponse:
    """Show the form, prefilled from the address or the last launch; launch when posted without `update`."""
    membership = member(request, tenant_slug)
    access.require(membership, Action.LAUNCH)
    engines = offered_engines()
    if not engines:
        return render(request, "engines/launch_nothing.html", {"membership": membership})
    wanted: Mapping[str, str] = (request.POST or request.GET).dict()
    choices = choices_of(membership, engines, wanted)
    if request.method == "GET" or "update" in request.POST:
        return _page(request, membership, choices, LaunchForm(initial=choices.initial))
    form = LaunchForm(request.POST)
    if form.is_valid() and _launched(membership, choices, form):
        return redirect("instances", tenant_slug=tenant_slug)
    return _page(request, membership, choices, form)


def _launched(membership: Membership, choices: Choices, form: LaunchForm) -> bool:
    """Launch what was chosen, or put the refusal beside its field."""
    cleaned = form.cleaned_data
    version, option = choices.version, choices.option
    if cleaned["version"] != version.version or option is None or option.gpu_class.slug != cleaned["gpu_class"]:
        form.add_error(None, _("One of your choices is no longer offered. Look through them again."))
        return False
    if cleaned["storage"] == "attach" and choices.volume is None:
        form.add_error("volume", _("This data cannot be attached now. Choose other data."))
        return False
    try:
        launch_instance(
            membership=membership,
            engine_version=version,
            gpu_class=option.gpu_class,
            name=cleaned["name"],
            volume=choices.volume,
            size_gib=cleaned["size_gib"] or 50,
        )
    except NotAllowed:
        raise
    except NameTaken as refusal:
        form.add_error("name", str(refusal))
    except PortalError as refusal:
        form.add_error(None, str(refusal))
    return not form.errors


def _page(request: PortalRequest, membership: Membership, choices: Choices, form: LaunchForm) -> HttpResponse:
    context = {"membership": membership, "choices": choices, "form": form, "room": room_of(membership.tenant)}
    return render(request, "engines/launch.html", context, status=422 if form.errors else 200)
