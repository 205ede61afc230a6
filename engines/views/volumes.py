"""Data: volumes in use, kept, and in the trash."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from engines.operations import volumes as operations
from engines.queries.volumes import volume_in, volume_rows
from tenants import access
from tenants.access import Action
from tenants.errors import NotAllowed, NotVisible, PortalError
from tenants.membership import PortalRequest, member
from tenants.models import Membership


@login_required
def index(request: PortalRequest, tenant_slug: str) -> HttpResponse:
    """List the tenant's volumes."""
    return _page(request, member(request, tenant_slug))


@require_POST
@login_required
def trash(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Move a kept volume to the trash."""
    return _act(request, tenant_slug, slug, operations.trash_volume, _("“%(name)s” is in the trash. You can restore it there."))


@require_POST
@login_required
def restore(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Take a volume out of the trash."""
    done = _("“%(name)s” is back. Attach it when you launch an engine.")
    return _act(request, tenant_slug, slug, operations.restore_volume, done)


def _act(request: PortalRequest, tenant_slug: str, slug: str, operation: Callable[..., None], done: str) -> HttpResponse:
    """Ask for it, and go back to the list with `done`, or show the list with the refusal."""
    membership = member(request, tenant_slug)
    volume = volume_in(membership, slug)
    try:
        operation(volume=volume, by=membership)
    except (NotAllowed, NotVisible):
        raise
    except PortalError as refusal:
        return _page(request, membership, refusal=str(refusal))
    messages.success(request, done % {"name": volume.name})
    return redirect("volumes", tenant_slug=tenant_slug)


def _page(request: PortalRequest, membership: Membership, *, refusal: str = "") -> HttpResponse:
    rows = volume_rows(membership)
    context = {
        "membership": membership,
        "kept": [row for row in rows if row.place == "kept"],
        "used": [row for row in rows if row.place == "used"],
        "trashed": [row for row in rows if row.place == "trash"],
        "may_launch": access.may(membership, Action.LAUNCH),
        "refusal": refusal,
    }
    return render(request, "engines/volumes.html", context, status=422 if refusal else 200)
