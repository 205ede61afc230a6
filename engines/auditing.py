"""What the audit log is told of instances and volumes; operations call this in their transaction."""

from engines.models import Instance, Volume
from tenants.audit.operations import Subject, record
from tenants.models import Membership


def record_instance(kind: str, instance: Instance, by: Membership, **details: object) -> None:
    """Record what a member, or an operator in their place, did with an instance of the tenant."""
    subject = Subject("instance", instance.slug, instance.name)
    record(kind, actor=by.user, tenant=by.tenant, subject=subject, details=details)


def record_volume(kind: str, volume: Volume, by: Membership, **details: object) -> None:
    """Record what was done with data."""
    record(kind, actor=by.user, tenant=by.tenant, subject=Subject("volume", volume.slug, volume.name), details=details)
