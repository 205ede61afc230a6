"""Costs as files: asked for, watched and fetched; or as a FOCUS file that is written into the answer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.http import HttpResponseBase
from django.utils import timezone
from ninja import Path, Query, Router, Status
from pydantic import AwareDatetime, Field

from aigc_portal.api.callers import ApiRequest, member, needs
from aigc_portal.api.openapi import QUESTION
from aigc_portal.api.paging import Paging, page
from aigc_portal.api.problems import invalid
from aigc_portal.api.schemas import CamelInput, CamelOutput
from billing.api.shapes import Exactly
from billing.errors import ExportRefused
from billing.exports.asking import Wanted, ask_for_export, note_streamed, note_taken, selection_of
from billing.exports.formats import Basis, Detail, Format
from billing.exports.manifest import manifest_of
from billing.exports.queries import all_exports_of, export_in
from billing.exports.sending import begins_file, send_file, stream
from billing.focus.columns import Version
from billing.models import ExportJob
from tenants.access_tokens.scopes import Scope

router = Router(tags=["Costs"])
READ = needs(Scope.COSTS_READ)
BYTES = {"schema": {"type": "string", "format": "binary"}}
FILE = {
    "x-problems": [409, 416],
    "responses": {
        200: {"content": {"application/octet-stream": BYTES}},
        206: {"description": "The range that was asked for.", "content": {"application/octet-stream": BYTES}},
        304: {"description": "The file that `If-None-Match` names is the one that there is."},
    },
}
FOCUS = QUESTION | {"x-problems": [409], "responses": {200: {"content": {"text/csv": BYTES}}}}
WINDOW = "Whole days of the account's time zone, as in an allocation: lastmonth, 7d, or 2026-03-01,2026-04-01."


class ExportIn(CamelInput):
    """Which lines of the books, and as what."""

    format: Format
    window: str = Field(max_length=80, description=WINDOW, examples=["lastmonth"])
    filter: str = Field("", max_length=2000, description='As in an allocation, e.g. gpu_class:"h100"+user!:"ann".')
    basis: Basis = Field(
        Basis.USAGE, description="usage: lines of these days. invoice: lines that the invoices of these months bill."
    )
    detail: Detail = Field(
        Detail.NET, description="net: lines as they stand in each billing period. ledger: whatever was posted."
    )
    as_of: AwareDatetime | None = Field(None, description="Only what was posted until then; null: until now.")


class SumOut(CamelOutput):
    """What the rows come to in one currency."""

    currency: str
    net: str
    list: str


class ExportOut(CamelOutput):
    """A file. Its lines are fixed when it is asked for; `file` can be fetched once `state` is done."""

    id: str
    state: str = Field(description="waiting, running, done, failed or expired.")
    format: str
    first_day: str
    last_day: str
    basis: str
    detail: str
    filter: str
    as_of: Exactly
    lines_total: int | None = Field(description="Lines of the books to be read; null before they are counted.")
    lines_done: int
    rows: int
    sums: list[SumOut]
    bytes: int
    sha256: str
    asked_by: str | None = Field(description="Null for the monthly report.")
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None
    manifest: dict[str, Any] | None = Field(description="What is in the file, to be kept beside it; null before it is done.")


class ExportsOut(CamelOutput):
    """Part of the files, newest first."""

    items: list[ExportOut]
    next_cursor: str | None


class FocusQuery(CamelInput):
    """Which lines, and in which edition of FOCUS."""

    version: Version = Version.V1_4
    window: str = Field(max_length=80, description=WINDOW, examples=["lastmonth"])
    filter: str = Field("", max_length=2000)
    basis: Basis = Basis.INVOICE
    detail: Detail = Detail.NET
    as_of: AwareDatetime | None = None


@router.post("/exports", auth=READ, response={202: ExportOut}, by_alias=True, summary="Ask for a file of costs")
def make_export(request: ApiRequest, tenant: Path[str], wanted: ExportIn) -> Status[ExportOut]:
    """Have a file written. For those who may see everybody's costs; ask the file's own address how far it is."""
    membership = member(request, tenant)
    try:
        job = ask_for_export(by=membership, wanted=Wanted(**wanted.model_dump()), now=timezone.now())
    except ExportRefused as refusal:
        raise _named(refusal, "body") from refusal
    return Status(202, _shown(export_in(membership, job.slug)))


@router.get("/exports", auth=READ, response=ExportsOut, by_alias=True, summary="List files of costs")
def list_exports(request: ApiRequest, tenant: Path[str], wanted: Query[Paging]) -> dict[str, object]:
    """Return the tenant's files, newest first."""
    return page(all_exports_of(member(request, tenant)), wanted, by="-created_at", show=_all_shown)


@router.get("/exports/{slug:export}", auth=READ, response=ExportOut, by_alias=True, summary="See how far a file is")
def get_export(request: ApiRequest, tenant: Path[str], export: Path[str]) -> ExportOut:
    """Return one file, with its manifest once it is done."""
    return _shown(export_in(member(request, tenant), export))


@router.get("/exports/{slug:export}/file", auth=READ, response=None, summary="Download a file of costs", openapi_extra=FILE)
def download_export(request: ApiRequest, tenant: Path[str], export: Path[str]) -> HttpResponseBase:
    """Send the file, or the range of it that `Range` asks for."""
    membership = member(request, tenant)
    job = export_in(membership, export)
    response = send_file(request, job)
    if begins_file(response):
        note_taken(membership, job)
    return response


@router.get("/focus.csv", auth=READ, response=None, summary="Stream costs as FOCUS", openapi_extra=FOCUS)
def stream_focus(request: ApiRequest, tenant: Path[str], wanted: Query[FocusQuery]) -> HttpResponseBase:
    """Send a Cost and Usage file of FOCUS as it is written. Nobody can tell a file that broke off: exports have a digest."""
    membership = member(request, tenant)
    format_ = Format(f"focus-{wanted.version}")
    asked = Wanted(format=format_, **wanted.model_dump(exclude={"version"}))
    try:
        selection = selection_of(membership, asked, timezone.now())
        name = (
            f"focus-{wanted.version}-{membership.tenant.slug}-{selection.window.first:%Y%m%d}-{selection.window.last:%Y%m%d}.csv"
        )
        with transaction.atomic():  # what is not recorded is not sent, and what cannot be sent is not recorded
            note_streamed(membership, selection, format_)
            return stream(selection, format_, name)
    except ExportRefused as refusal:
        raise _named(refusal, "query") from refusal


def _named(refusal: ExportRefused, where: str) -> Exception:
    """Return the problem that names the field, if it is about one."""
    names = {"as_of": "asOf"}
    return invalid(where, names.get(refusal.field, refusal.field), str(refusal)) if refusal.field else refusal


def _all_shown(jobs: Sequence[ExportJob]) -> list[ExportOut]:
    return [_shown(job) for job in jobs]


def _shown(job: ExportJob) -> ExportOut:
    return ExportOut(
        id=job.slug,
        state=job.state,
        format=job.format,
        first_day=f"{job.first_day}",
        last_day=f"{job.last_day}",
        basis=job.basis,
        detail=job.detail,
        filter=job.filter,
        as_of=job.as_of,
        lines_total=job.lines_total,
        lines_done=job.lines_done,
        rows=job.row_count,
        sums=[SumOut(**each) for each in job.sums],
        bytes=job.size_bytes,
        sha256=job.sha256,
        asked_by=job.asked_by.username if job.asked_by else None,
        created_at=job.created_at,
        finished_at=job.finished_at,
        expires_at=job.expires_at,
        manifest=manifest_of(job) if job.state == ExportJob.State.DONE else None,
    )
