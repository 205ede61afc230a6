"""What is scarce in a tenant is counted and spent under one lock; what is asked of an instance is asked under its own."""

from django.utils.translation import gettext as _

from engines.errors import Unavailable
from engines.models import Instance
from engines.rights import may_visit
from engines.states import DesiredState, InstanceState
from tenants import access
from tenants.errors import NotAllowed, NotVisible
from tenants.models import Membership, Tenant


def lock_tenant(tenant_id: int) -> Tenant:
    """Lock the tenant's row until the transaction ends: for quota and for names, one wish at a time.

    No key is locked, here and in the operations: whoever writes down a fact about the row meanwhile need not wait, perhaps for
    each other.
    """
    return Tenant.objects.select_for_update(no_key=True).get(pk=tenant_id)


def lock_instance(instance: Instance, by: Membership, *, to_wake: bool = False) -> Instance:
    """Read the instance again under lock, if this member may operate it, or visit it `to_wake`, and it is not being deleted.

    Owner and shares change under the same lock, so what is allowed here stays so until the transaction ends.
    """
    # First the lock, then the row with its relations: after waiting, PostgreSQL finds no row that was joined to an owner or class
    # which it has no more.
    Instance.objects.select_for_update(no_key=True).filter(pk=instance.pk, tenant_id=by.tenant_id).values_list("pk").first()
    rows = Instance.objects.select_related("tenant", "owner", "gpu_class", "cluster", "engine_version")
    locked = rows.filter(pk=instance.pk, tenant_id=by.tenant_id).exclude(state=InstanceState.DELETED).first()
    if locked is None:
        raise NotVisible(_("There is nothing here, or it is not yours."))
    if not access.may_operate(by, owner_id=locked.owner_id) and not (to_wake and may_visit(by, locked)):
        raise NotAllowed(_("Only its owner or an admin of %(tenant)s may do this.") % {"tenant": by.tenant})
    if locked.desired_state == DesiredState.DELETED:
        raise Unavailable(_("%(name)s is being deleted.") % {"name": locked.name})
    return locked
