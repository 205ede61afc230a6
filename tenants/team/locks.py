"""What changes who belongs to a tenant, or how it stands, happens under the lock of the tenant's row."""

from django.utils.translation import gettext as _

from tenants.errors import NotVisible
from tenants.models import Membership, Tenant, acting


def lock_tenant(tenant_id: int) -> Tenant:
    """Lock the tenant's row until the transaction ends; NotVisible for one that is deleted."""
    tenant = Tenant.objects.select_for_update(no_key=True).filter(pk=tenant_id, deleted_at=None).first()
    if tenant is None:
        raise NotVisible(_("There is nothing here, or it is not yours."))
    return tenant


def lock_for(by: Membership) -> Membership:
    """Lock the tenant, and return the acting membership as it is now: a right that was taken while they waited is gone."""
    tenant = lock_tenant(by.tenant_id)
    if by.is_operator:
        by.tenant = tenant
        return by
    now = Membership.objects.select_related("user").filter(acting(), pk=by.pk).first()
    if now is None:
        raise NotVisible(_("There is nothing here, or it is not yours."))
    now.tenant = tenant
    return now


def read_again(member: Membership, tenant: Tenant) -> Membership:
    """Return another membership of the locked tenant as it is now; NotVisible for one that is gone, or of another tenant."""
    found = Membership.objects.select_related("user").filter(pk=member.pk, tenant=tenant).first()
    if found is None:
        raise NotVisible(_("There is no such member."))
    found.tenant = tenant
    return found
