"""The page of one instance, for whatever is asked there: its head, its tabs, and a form that comes back with its refusal."""

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import messages
from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from engines import fragments
from engines.file_room import room_in
from engines.forms import GpuClassForm, RenameForm, TagForm
from engines.queries.instances import InstanceRow, instance_in
from engines.queries.limits import limits_on
from engines.queries.logs import log_of
from engines.queries.projects import projects_of
from engines.queries.sharing import share_of, shares_of
from engines.queries.timeline import timeline_of
from engines.queries.volumes import volume_of
from engines.rights import owns
from engines.sharing_forms import ENDS, ShareForm
from engines.states import RESTING, InstanceState
from engines.views.file_page import room_context
from engines.views.release_page import release_context
from tenants.applying import is_applied
from tenants.errors import NotAllowed
from tenants.membership import PortalRequest, member
from tenants.models import Membership

TABS: dict[str, Promise] = {
    "overview": gettext_lazy("Overview"),
    "files": gettext_lazy("Files"),
    "data": gettext_lazy("Data"),
    "log": gettext_lazy("Log"),
    "timeline": gettext_lazy("Timeline"),
    "release": gettext_lazy("Release"),
    "costs": gettext_lazy("Costs"),
    "access": gettext_lazy("Access"),
    "api": gettext_lazy("API access"),
    "settings": gettext_lazy("Settings"),
}
FOR_OPERATORS = {"access", "settings"}
ENDED = RESTING - {InstanceState.RUNNING}
"""The states in which the log shown is that of a process that has ended."""


@dataclass(frozen=True)
class Bound:
    """A form as it was sent: its name in the tab's template, the tab, and the field that a refusal stands beside."""

    key: str
    form: Form
    tab: str = "settings"
    field: str | None = None


def operable(request: PortalRequest, tenant_slug: str, slug: str) -> tuple[Membership, InstanceRow]:
    """Return the instance for somebody who may operate it; NotVisible for strangers, NotAllowed for all others."""
    membership = member(request, tenant_slug)
    row = instance_in(membership, slug)
    if not row.rights.operate:
        raise NotAllowed(_("Only its owner or an admin of %(tenant)s may do this.") % {"tenant": membership.tenant})
    return membership, row


def submit(
    request: PortalRequest, page: tuple[Membership, InstanceRow], bound: Bound, apply: Callable[[], None], *, done: str = ""
) -> HttpResponse:
    """Apply a valid form, come back to its tab and say what is `done`; show a refusal with what was typed."""
    membership, row = page
    if is_applied(bound.form, apply, reader=request.user, field=bound.field):
        messages.success(request, done or _("Saved."))
        return redirect(reverse("instance", args=[membership.tenant.slug, row.instance.slug]) + f"?tab={bound.tab}")
    return show_page(request, membership, row, bound.tab, {bound.key: bound.form})


def tabs_for(membership: Membership, row: InstanceRow) -> dict[str, Promise]:
    """Return the tabs that the member may open."""
    hidden = set() if row.rights.operate else set(FOR_OPERATORS)
    if not row.rights.wake:
        hidden.add("api")
    if not row.rights.visit:
        hidden.add("log")
        if not owns(membership, row.instance.volume):
            hidden.add("files")
    return {key: name for key, name in TABS.items() if key not in hidden}


def show_page(
    request: PortalRequest, membership: Membership, row: InstanceRow, tab: str, bound: dict[str, Form] | None = None
) -> HttpResponse:
    """Render the instance with one tab, and with a form that was refused, if any."""
    context = fragments.page_context(row) | {
        "membership": membership,
        "tab": tab,
        "tabs": tabs_for(membership, row),
        "live_instance": row.instance.slug,
        "tab_template": f"engines/tabs/{tab}.html",
        **(_files(request, membership, row) if tab == "files" else {}),
        **(_CONTENT[tab](membership, row) if tab in _CONTENT else {}),
        **(bound or {}),
    }
    return render(request, "engines/instance.html", context, status=422 if bound else 200)


def _files(request: PortalRequest, membership: Membership, row: InstanceRow) -> dict[str, object]:
    return room_context(request, room_in(membership, row.instance.volume.slug), on_instance=True)


def _overview(membership: Membership, row: InstanceRow) -> dict[str, object]:
    share = share_of(membership, row.instance) if row.rights.guest else None
    return {"share": share, **(limits_on(row.instance, reader=membership.user) if row.rights.wake else {})}


def _access(_membership: Membership, row: InstanceRow) -> dict[str, object]:
    return {"shares": shares_of(row.instance), "share_form": ShareForm(instance=row.instance), "ends": ENDS}


def _settings(membership: Membership, row: InstanceRow) -> dict[str, object]:
    return {
        "rename_form": RenameForm(initial={"name": row.instance.name}),
        "tag_form": TagForm(initial={"tag": row.instance.tag}),
        "projects": projects_of(membership),
        "class_form": GpuClassForm(instance=row.instance),
    }


# What only this tab shows.
_CONTENT: dict[str, Callable[[Membership, InstanceRow], dict[str, object]]] = {
    "overview": _overview,
    "timeline": lambda _membership, row: {"entries": timeline_of(row.instance)},
    "log": lambda _membership, row: {"chunk": log_of(row.instance).read(), "ended": row.instance.state in ENDED},
    "data": lambda _membership, row: {"volume": volume_of(row.instance)},
    "access": _access,
    "release": release_context,
    "settings": _settings,
}
