"""My engines."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from engines.faces import Group
from engines.queries.instances import group_counts, instance_rows
from engines.views.membership import LiveRequest, live_member
from tenants import access
from tenants.access import Action

GROUP_NAMES = {
    Group.RUNNING: _("Running"),
    Group.COMING: _("On their way"),
    Group.PAUSED: _("Paused"),
    Group.FAILED: _("Failed"),
}
# Below this many instances a filter is only in the way.
FILTERS_FROM = 7


@login_required
def index(request: LiveRequest, tenant_slug: str) -> HttpResponse:
    """List the tenant's instances, live."""
    membership = live_member(request, tenant_slug)
    everything = instance_rows(membership)
    chosen = request.GET.get("state", "")
    group = Group(chosen) if chosen in set(Group) else None
    project = request.GET.get("project", "")
    of_project = [row for row in everything if project in {"", row.instance.tag}]
    rows = [row for row in of_project if group is None or row.face.group == group]
    counts = group_counts(of_project)
    context = {
        "membership": membership,
        "rows": rows,
        "instances": [row.instance for row in rows],
        "group": group,
        "project": project,
        "known": len(everything),
        "total": len(of_project),
        "filters": [(each, GROUP_NAMES[each], counts[each]) for each in Group] if len(everything) >= FILTERS_FROM else [],
        "may_launch": access.may(membership, Action.LAUNCH),
    }
    return render(request, "engines/instances.html", context)
