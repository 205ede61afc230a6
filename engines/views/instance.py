"""One instance: its head with the way up, and a tab."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from engines import fragments
from engines.file_room import may_enter, room_in
from engines.forms import GpuClassForm, RenameForm
from engines.operations import instances as operations
from engines.queries.instances import InstanceRow, instance_in
from engines.queries.logs import log_of
from engines.queries.timeline import timeline_of
from engines.queries.volumes import volume_of
from engines.views.file_page import room_context
from engines.views.membership import PortalRequest, member
from tenants.errors import NotAllowed, NotVisible, PortalError
from tenants.models import Membership

TABS: dict[str, Promise] = {
    "overview": gettext_lazy("Overview"),
    "timeline": gettext_lazy("Timeline"),
    "log": gettext_lazy("Log"),
    "costs": gettext_lazy("Costs"),
    "files": gettext_lazy("Files"),
    "data": gettext_lazy("Data"),
    "api": gettext_lazy("API access"),
    "settings": gettext_lazy("Settings"),
}
OPERATORS_TABS = {"log", "settings"}


@login_required
def show(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Show the instance with the tab of `?tab=`."""
    membership = member(request, tenant_slug)
    row = instance_in(membership, slug)
    wanted = request.GET.get("tab", "overview")
    return _page(request, membership, row, wanted if wanted in _tabs(membership, row) else "overview")


@require_POST
@login_required
def rename(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Give it another name."""
    membership, row = _operable(request, tenant_slug, slug)
    form = RenameForm(request.POST)

    def apply() -> None:
        operations.rename_instance(instance=row.instance, by=membership, name=form.cleaned_data["name"])

    return _submit(request, membership, row, ("rename_form", "name", form), apply)


@require_POST
@login_required
def change_gpu_class(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Use another GPU class from the next start on."""
    membership, row = _operable(request, tenant_slug, slug)
    form = GpuClassForm(request.POST, instance=row.instance)

    def apply() -> None:
        operations.change_gpu_class(instance=row.instance, by=membership, gpu_class=form.cleaned_data["gpu_class"])

    return _submit(request, membership, row, ("class_form", "gpu_class", form), apply)


def _operable(request: PortalRequest, tenant_slug: str, slug: str) -> tuple[Membership, InstanceRow]:
    membership = member(request, tenant_slug)
    row = instance_in(membership, slug)
    if not row.rights.operate:
        raise NotAllowed(_("Only its owner or an admin of %(tenant)s may do this.") % {"tenant": membership.tenant})
    return membership, row


def _submit(
    request: PortalRequest, membership: Membership, row: InstanceRow, bound: tuple[str, str, Form], apply: Callable[[], None]
) -> HttpResponse:
    """Apply a valid form and come back to the settings; show a refusal beside its field, with what was typed."""
    key, field, form = bound
    if form.is_valid():
        try:
            apply()
        except (NotVisible, NotAllowed):
            raise
        except PortalError as refusal:
            form.add_error(field, str(refusal))
        else:
            messages.success(request, _("Saved."))
            return redirect(reverse("instance", args=[membership.tenant.slug, row.instance.slug]) + "?tab=settings")
    return _page(request, membership, row, "settings", {key: form})


def _tabs(membership: Membership, row: InstanceRow) -> dict[str, Promise]:
    hidden = set() if row.rights.operate else set(OPERATORS_TABS)
    if not (row.rights.visit or row.rights.operate):
        hidden.add("api")
    if not may_enter(membership, row.instance.volume):
        hidden.add("files")
    return {key: name for key, name in TABS.items() if key not in hidden}


def _page(
    request: PortalRequest, membership: Membership, row: InstanceRow, tab: str, bound: dict[str, Form] | None = None
) -> HttpResponse:
    context = fragments.page_context(row) | {
        "membership": membership,
        "tab": tab,
        "tabs": _tabs(membership, row),
        "live_instance": row.instance.slug,
        "tab_template": f"engines/tabs/{tab}.html",
        **(_files(request, membership, row) if tab == "files" else _of_tab(tab, row)),
        **(bound or {}),
    }
    return render(request, "engines/instance.html", context, status=422 if bound else 200)


def _files(request: PortalRequest, membership: Membership, row: InstanceRow) -> dict[str, object]:
    return room_context(request, room_in(membership, row.instance.volume.slug), on_instance=True)


def _of_tab(tab: str, row: InstanceRow) -> dict[str, object]:
    """Return what only this tab shows."""
    instance = row.instance
    match tab:
        case "timeline":
            return {"entries": timeline_of(instance)}
        case "log":
            return {"chunk": log_of(instance).read()}
        case "data":
            return {"volume": volume_of(instance)}
        case "settings":
            forms = {"rename_form": RenameForm(initial={"name": instance.name}), "class_form": GpuClassForm(instance=instance)}
            return dict(forms)
    return {}
