"""What somebody wants as a file: from words to a job. Only who may see all costs of a tenant may take them away."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from billing.accounts import calendar_of, lock_accounts, posted_to
from billing.calendars import Calendar
from billing.dimensions import OF_SUMS, NotAFilter, UnknownDimension, read_filter
from billing.errors import ExportRefused
from billing.exports import hints, parquet
from billing.exports.formats import Basis, Detail, Format
from billing.exports.selection import Selection
from billing.models import ExportJob
from billing.periods import Month
from billing.windows import LONGEST, NotAWindow, Window, parse
from tenants import access
from tenants.access import Action
from tenants.audit.operations import Subject, record
from tenants.models import Membership

UNFINISHED_AT_ONCE = 5
"""Files of one tenant that may be waiting or being written."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file as somebody asks for it, in the words of the API; `as_of` None: all that is posted by now."""

    format: Format
    window: str
    filter: str = ""
    basis: Basis = Basis.USAGE
    detail: Detail = Detail.NET
    as_of: datetime | None = None


def require_right(membership: Membership) -> None:
    """Raise NotAllowed for members who may not see everybody's costs. The one place that says who may export."""
    access.require(membership, Action.SEE_COSTS)


def selection_of(membership: Membership, wanted: Wanted, now: datetime) -> Selection:
    """Read what is wanted. Raises NotAllowed, and ExportRefused with the field that cannot be had."""
    require_right(membership)
    if wanted.format is Format.PARQUET and not parquet.is_available():
        raise ExportRefused("format", _("This portal cannot write Parquet: its operators have not installed pyarrow."))
    calendar = calendar_of(membership.tenant)
    try:
        conditions = read_filter(wanted.filter)
    except UnknownDimension as error:
        known = ", ".join(OF_SUMS)
        sentence = _("There is no dimension “%(name)s”. There are: %(dimensions)s.")
        raise ExportRefused("filter", sentence % {"name": error.name[:60], "dimensions": known}) from error
    except NotAFilter as error:
        raise ExportRefused("filter", _('A filter is written as gpu_class:"h100"+user!:"ann".')) from error
    window = _window(wanted, calendar, now)
    return Selection(
        membership.tenant_id, window, calendar, _as_of(membership, wanted, now), conditions, wanted.basis, wanted.detail
    )


def selection_for(job: ExportJob) -> Selection:
    """Return the lines of a job: the same whenever it runs."""
    return Selection(
        job.tenant_id,
        Window(job.first_day, job.last_day),
        calendar_of(job.tenant),
        job.as_of,
        read_filter(job.filter),
        Basis(job.basis),
        Detail(job.detail),
    )


@transaction.atomic
def ask_for_export(*, by: Membership, wanted: Wanted, now: datetime) -> ExportJob:
    """Have a file written soon. Raises NotAllowed, and ExportRefused with the field that cannot be had."""
    selection = selection_of(by, wanted, now)
    lock_accounts([by.tenant_id])
    unfinished = ExportJob.objects.filter(tenant=by.tenant, state__in=ExportJob.UNFINISHED)
    if unfinished.count() >= UNFINISHED_AT_ONCE:
        sentence = _("%(limit)d files of this tenant are being written already. Wait until one of them is ready.")
        raise ExportRefused("", sentence % {"limit": UNFINISHED_AT_ONCE})
    job = ExportJob.objects.create(
        tenant=by.tenant,
        asked_by=by.user,
        format=wanted.format,
        basis=wanted.basis,
        detail=wanted.detail,
        first_day=selection.window.first,
        last_day=selection.window.last,
        filter=wanted.filter,
        as_of=selection.as_of,
        created_at=now,
    )
    note_taken(by, job)
    hints.write_on_commit(job.pk)
    return job


def note_taken(membership: Membership, job: ExportJob) -> None:
    """Record that somebody takes costs away."""
    details = {"format": job.format, "from": f"{job.first_day}", "until": f"{job.last_day}"}
    subject = Subject("export", job.slug, job.download_name)
    record("costs.exported", actor=membership.user, tenant=membership.tenant, subject=subject, details=details)


def note_streamed(membership: Membership, selection: Selection, format_: Format) -> None:
    """Record the same of a file that is written into an answer."""
    details = {"format": format_.value, "from": f"{selection.window.first}", "until": f"{selection.window.last}"}
    record("costs.exported", actor=membership.user, tenant=membership.tenant, details=details)


def _window(wanted: Wanted, calendar: Calendar, now: datetime) -> Window:
    try:
        window = parse(wanted.window, calendar, now)
    except NotAWindow as error:
        sentence = _("These are no whole days of the account, or more than %(longest)d, or before 2000.")
        raise ExportRefused("window", sentence % {"longest": LONGEST}) from error
    if wanted.basis is Basis.USAGE:
        return window
    if window.last == calendar.day_of(now):  # “month” ends today, and its invoice does not
        window = Window(window.first, Month.of(window.last).last_day)
    if not window.is_whole_months:
        raise ExportRefused("window", _("Invoices are of whole months."))
    return window


def _as_of(membership: Membership, wanted: Wanted, now: datetime) -> datetime:
    """Return a moment up to which the books never change again."""
    if wanted.as_of is not None and (wanted.as_of > now or wanted.as_of.year < 2000):
        raise ExportRefused("as_of", _("This is no moment that the books were there at."))
    latest = posted_to(membership.tenant_id) or now
    return latest if wanted.as_of is None else min(latest, wanted.as_of)
