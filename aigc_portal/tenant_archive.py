"""Everything that the portal knows of one tenant, as an archive of CSV files that is made while it is read.

It stands above the apps, since it takes from all of them. The files on volumes are not in it: the file room archives those.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.db import connection
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.utils import timezone
from django.views.decorators.http import require_safe

from aigc_portal.spreadsheets import BYTE_ORDER_MARK, harmless
from billing.models import Charge
from engines.files.archive import Member, pack
from engines.models import Instance, InstanceEvent, Volume
from engines.sending.chunks import StreamedChunks
from tenants import access
from tenants.access import Action
from tenants.audit.models import AuditEvent
from tenants.audit.operations import Subject, record
from tenants.membership import PortalRequest, member
from tenants.models import Tenant, User

PAGE_ROWS = 1000
_UNKNOWN_SIZE = 1 << 40
"""Has the archive written in the form that takes files of any size."""


@dataclass(frozen=True, slots=True)
class Table:
    """One file: its rows, and where each column is found from there."""

    name: str
    rows: QuerySet[Any]
    columns: Mapping[str, str]


def tables_of(tenant: Tenant) -> list[Table]:
    """Return what is exported."""
    return [
        Table("members", tenant.memberships.all(), _MEMBERS),
        Table("invitations", tenant.invitations.all(), _INVITATIONS),
        Table("engines", Instance.objects.filter(tenant=tenant), _ENGINES),
        Table("data", Volume.objects.filter(tenant=tenant), _DATA),
        Table("history", InstanceEvent.objects.filter(instance__tenant=tenant), _HISTORY),
        Table("audit", AuditEvent.objects.filter(tenant=tenant), _AUDIT),
        Table("charges", Charge.objects.filter(tenant=tenant), _CHARGES),
    ]


_MEMBERS = {
    "username": "user__username",
    "email": "user__email",
    "first_name": "user__first_name",
    "last_name": "user__last_name",
    "role": "role",
    "member_since": "created_at",
    "last_seen_at": "last_seen_at",
}
_INVITATIONS = {
    "address": "address",
    "role": "role",
    "invited_by": "invited_by__username",
    "created_at": "created_at",
    "expires_at": "expires_at",
    "accepted_at": "accepted_at",
    "accepted_by": "accepted_by__username",
    "revoked_at": "revoked_at",
}
_ENGINES = {
    "id": "slug",
    "name": "name",
    "owner": "owner__username",
    "engine": "engine_version__engine__name",
    "version": "engine_version__version",
    "gpu_class": "gpu_class__slug",
    "cluster": "cluster__slug",
    "data_id": "volume__slug",
    "state": "state",
    "created_at": "created_at",
    "deleted_at": "deleted_at",
}
_DATA = {
    "id": "slug",
    "name": "name",
    "owner": "owner__username",
    "state": "state",
    "size_gib": "size_gib",
    "used_bytes": "used_bytes",
    "created_at": "created_at",
    "purge_at": "purge_at",
    "deleted_at": "deleted_at",
}
_HISTORY = {
    "at": "at",
    "engine_id": "instance__slug",
    "kind": "kind",
    "by": "actor__username",
    "old_state": "old_state",
    "new_state": "new_state",
    "reason": "reason",
}
_AUDIT = {
    "at": "at",
    "kind": "kind",
    "by": "actor__username",
    "subject_kind": "subject_kind",
    "subject_id": "subject_id",
    "subject": "subject_name",
    "details": "details",
    "via": "via",
    "address": "address",
}
_CHARGES = {
    "from": "starts_at",
    "until": "ends_at",
    "kind": "kind",
    "engine_id": "instance__slug",
    "run": "run_id",
    "owner": "owner__username",
    "gpu_class": "gpu_class__slug",
    "seconds": "seconds",
    "price_per_hour": "per_hour",
    "amount": "amount",
    "currency": "currency",
    "posted_at": "posted_at",
}


@require_safe
@login_required
def export(request: PortalRequest, tenant_slug: str) -> StreamedChunks:
    """Send the archive to an owner."""
    membership = member(request, tenant_slug)
    access.require(membership, Action.MANAGE_TENANT)
    return _archive(membership.tenant, by=membership.user)


@require_safe
def export_for_operator(request: HttpRequest, pk: int) -> StreamedChunks:
    """Send the archive to an operator, also of a tenant that is suspended or deleted."""
    tenant = Tenant.objects.filter(pk=pk).first()
    if tenant is None:
        raise Http404
    operator = access.as_operator(cast("User", request.user), tenant, permission="tenants.change_tenant")
    return _archive(tenant, by=operator.user)


def _archive(tenant: Tenant, *, by: User) -> StreamedChunks:
    record("tenant.exported", actor=by, tenant=tenant, subject=Subject("tenant", tenant.slug, tenant.name))
    now = timezone.now()
    answer = StreamedChunks(pack(_members(tenant, now)), content_type="application/zip")
    answer["Content-Disposition"] = f'attachment; filename="{tenant.slug}-{now:%Y-%m-%d}.zip"'
    answer["Cache-Control"] = "no-store"
    return answer


def _members(tenant: Tenant, now: datetime) -> Iterator[Member]:
    for table in tables_of(tenant):
        yield Member(f"{tenant.slug}/{table.name}.csv", now, _UNKNOWN_SIZE, csv_of(table))


def csv_of(table: Table) -> Iterator[bytes]:
    """Yield the table as CSV, a page of rows at a time: each may be read by another thread, so each is a query of its own."""
    yield (BYTE_ORDER_MARK + _lines([list(table.columns)])).encode()
    rows, last = table.rows.order_by("pk").values_list("pk", *table.columns.values()), None
    while page := list((rows if last is None else rows.filter(pk__gt=last))[:PAGE_ROWS]):
        if not connection.in_atomic_block:
            connection.close()
        last = page[-1][0]
        yield _lines([[_cell(value) for value in row[1:]] for row in page]).encode()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return harmless(value) if isinstance(value, str) else str(value)


def _lines(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
