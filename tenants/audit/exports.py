"""The audit log as a file: streamed, and recorded itself."""

import json
from collections.abc import AsyncIterator
from datetime import UTC

from asgiref.sync import sync_to_async
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import translation

from aigc_portal.spreadsheets import BYTE_ORDER_MARK, csv_line, harmless
from tenants.audit.models import AuditEvent
from tenants.audit.operations import record
from tenants.audit.queries import Wanted, batches_of
from tenants.models import Tenant, User

HEADER = (
    "at",
    "tenant",
    "who",
    "behind",
    "kind",
    "what",
    "thing_kind",
    "thing_id",
    "thing",
    "via",
    "address",
    "api_token",
    "details",
)


def export_audit(*, by: User, tenant: Tenant | None, wanted: Wanted, events: QuerySet[AuditEvent]) -> StreamingHttpResponse:
    """Record that it is taken, and return the file with the events that fit; `tenant`: None for those of all."""
    record("audit.exported", actor=by, tenant=tenant, details=wanted.described)
    name = f"audit-{tenant.slug}.csv" if tenant else "audit.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    lines = csv_lines(wanted.of(events), language=translation.get_language() or "en")
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)


async def csv_lines(events: QuerySet[AuditEvent], *, language: str) -> AsyncIterator[str]:
    """Yield the file in pieces as large as a batch, so that memory stays flat however long the log is."""
    yield BYTE_ORDER_MARK + csv_line(HEADER)
    batches = batches_of(events)

    def next_piece() -> str | None:
        batch = next(batches, None)
        with translation.override(language):
            return None if batch is None else "".join(csv_line(_cells(event)) for event in batch)

    while (piece := await sync_to_async(next_piece)()) is not None:
        yield piece


def _cells(event: AuditEvent) -> tuple[str, ...]:
    return (
        event.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        event.tenant.slug if event.tenant else "",
        harmless(event.actor.get_username() if event.actor else ""),
        harmless(event.behind.get_username() if event.behind else ""),
        event.kind,
        event.did,
        event.subject_kind,
        harmless(event.subject_id),
        harmless(event.thing),
        event.via,
        event.address or "",
        event.token,
        json.dumps(event.details, ensure_ascii=False, sort_keys=True),
    )
