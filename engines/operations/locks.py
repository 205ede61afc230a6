"""What is scarce in a tenant is counted and spent under one lock."""

from tenants.models import Tenant


def lock_tenant(tenant_id: int) -> Tenant:
    """Lock the tenant's row until the transaction ends: for quota and for names, one wish at a time.

    No key is locked, here and in the operations: whoever writes down a fact about the row meanwhile need not wait, perhaps for
    each other.
    """
    return Tenant.objects.select_for_update(no_key=True).get(pk=tenant_id)
