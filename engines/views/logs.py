"""An engine's log: followed live, and as a file."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

from django.contrib.auth.decorators import login_required
from django.db import connection
from django.http import HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from engines.models import Instance
from engines.operations.taking import note_log_taken
from engines.queries.instances import instance_in
from engines.queries.logs import DOWNLOAD_BYTES, LogSource, log_of
from tenants.errors import NotAllowed
from tenants.membership import PortalRequest, member
from tenants.models import Membership

READ_EVERY_SECONDS = 0.5
# The browser comes back by itself after this long, and is asked again who it is.
STREAM_SECONDS = 60
QUIET_SECONDS = 15


@require_GET
@login_required
def follow(request: PortalRequest, tenant_slug: str, slug: str) -> StreamingHttpResponse:
    """Stream what the engine writes from `?cursor=` on, as server-sent events whose id is the next cursor."""
    _membership, instance = _readable(request, tenant_slug, slug)
    source = log_of(instance)
    cursor = request.headers.get("Last-Event-ID") or request.GET.get("cursor", "")
    if not connection.in_atomic_block:
        connection.close()  # a stream lasts: its database connection goes back to the pool now
    response = StreamingHttpResponse(follow_log(source, cursor), content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


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


async def follow_log(source: LogSource, cursor: str, *, seconds: float = STREAM_SECONDS) -> AsyncIterator[str]:
    """Yield events until the time is up; whoever consumes them may stop at any moment."""
    end = spoke = time.monotonic()
    end += seconds
    yield "retry: 500\n\n"
    while time.monotonic() < end:
        chunk = await asyncio.to_thread(source.read, cursor)
        if chunk is not None and chunk.text:
            cursor, spoke = chunk.cursor, time.monotonic()
            yield f"id: {_one_line(cursor)}\ndata: {json.dumps(chunk.text)}\n\n"
        elif time.monotonic() - spoke > QUIET_SECONDS:
            spoke = time.monotonic()
            yield ": still here\n\n"
        await asyncio.sleep(READ_EVERY_SECONDS)


def _one_line(cursor: str) -> str:
    return cursor.replace("\n", "").replace("\r", "")


def _readable(request: PortalRequest, tenant_slug: str, slug: str) -> tuple[Membership, Instance]:
    membership = member(request, tenant_slug)
    row = instance_in(membership, slug)
    if not row.rights.visit:
        raise NotAllowed(_("Only its owner, and whoever it is shared with, may read the log."))
    return membership, row.instance
