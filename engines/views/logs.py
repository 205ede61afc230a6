"""An engine's log: followed live, and as a file."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from engines.models import Instance
from engines.operations.taking import note_log_taken
from engines.queries.instances import instance_in
from engines.queries.logs import DOWNLOAD_BYTES, log_of
from engines.sending.logs import FollowedLog
from tenants.errors import NotAllowed
from tenants.membership import PortalRequest, member
from tenants.models import Membership


@require_GET
@login_required
def follow(request: PortalRequest, tenant_slug: str, slug: str) -> StreamingHttpResponse:
    """Stream what the engine writes from `?cursor=` on, as server-sent events whose id is the next cursor."""
    _membership, instance = _readable(request, tenant_slug, slug)
    source = log_of(instance)
    cursor = request.headers.get("Last-Event-ID") or request.GET.get("cursor", "")
    return FollowedLog(source, cursor)


@require_GET
@login_required
def download(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Send the last part of the log as a text file."""
    membership, instance = _readable(request, tenant_slug, slug)
    chunk = log_of(instance).read(tail_bytes=DOWNLOAD_BYTES)
    if chunk is None:
        return HttpResponse(_("The cluster does not answer. Try again in a moment."), status=503, content_type="text/plain")
    note_log_taken(instance=instance, by=membership)
    response = HttpResponse(chunk.text, content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{instance.slug}.log"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _readable(request: PortalRequest, tenant_slug: str, slug: str) -> tuple[Membership, Instance]:
    membership = member(request, tenant_slug)
    row = instance_in(membership, slug)
    if not row.rights.visit:
        raise NotAllowed(_("Only its owner, and whoever it is shared with, may read the log."))
    return membership, row.instance
