"""Who entered which engine: recorded where the portal hands a visitor over, never on the way of a request."""

from django.db import transaction

from engines.auditing import record_instance
from engines.models import Instance
from tenants.audit.models import AuditEvent
from tenants.models import Membership


@transaction.atomic
def note_visit(*, instance: Instance, by: Membership, session: str) -> None:
    """Record the first visit to an instance in a session of the portal, known by its digest; later ones change nothing.

    Two tabs at the same moment may both be the first.
    """
    of_this = AuditEvent.objects.filter(subject_kind="instance", subject_id=instance.slug, kind="instance.visited")
    if not of_this.filter(actor_id=by.user_id, details__session=session).exists():
        record_instance("instance.visited", instance, by, session=session)
