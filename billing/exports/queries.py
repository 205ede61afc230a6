"""Files of costs for pages and the API."""

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from billing.exports.asking import require_right
from billing.models import ExportJob
from tenants.errors import NotVisible
from tenants.models import Membership

NEWEST = 50


def all_exports_of(membership: Membership) -> QuerySet[ExportJob]:
    """Return the tenant's files. Raises NotAllowed."""
    require_right(membership)
    return ExportJob.objects.filter(tenant=membership.tenant_id).select_related("tenant", "asked_by", "report_of")


def exports_of(membership: Membership) -> list[ExportJob]:
    """Return the newest. Raises NotAllowed."""
    return list(all_exports_of(membership)[:NEWEST])


def export_in(membership: Membership, slug: str) -> ExportJob:
    """Return one file of the tenant. Raises NotAllowed, NotVisible."""
    found = all_exports_of(membership).filter(slug=slug).first()
    if found is None:
        raise NotVisible(_("There is nothing here, or it is not yours."))
    return found
