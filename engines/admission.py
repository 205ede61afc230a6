"""What stands above engines may refuse a run: the checks that settings.RUN_CHECKS names, in their order.

They are named, not imported: billing stands on engines. Each is called in the transaction of the wish: with the tenant's row
locked, so that no two runs of a tenant are admitted side by side, and after all locks of engines, so that it may take its own. It
raises a PortalError with a sentence for whoever asked.
"""

from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from engines.models import GpuClass
from tenants.models import Membership, Tenant, User


@dataclass(frozen=True, slots=True)
class Run:
    """What somebody wants to run. `instance_id`: of one that is there already, whether or not it counts as running."""

    tenant: Tenant
    owner: User
    gpu_class: GpuClass
    tag: str
    by: Membership
    instance_id: UUID | None = None


def require_admitted(run: Run) -> None:
    """Refuse what any check refuses."""
    for name in settings.RUN_CHECKS:
        import_string(name)(run)
