"""What operators write to people about their engines. Whoever calls has made sure that the person may change instances."""

import uuid
from collections import defaultdict
from collections.abc import Iterable

from django.db import transaction
from django.utils.translation import gettext as _

from engines.errors import Unavailable
from engines.models import Instance
from tenants.audit.operations import Subject, record
from tenants.models import User
from tenants.notifications.operations import notify

LENGTH = 500
NAMED = 5
"""Names of engines that a message's title has; the rest is a number."""


@transaction.atomic
def write_to_owners(*, instances: Iterable[Instance], by: User, message: str) -> int:
    """Tell each owner once in each tenant, with the names of their engines among these; return to how many it went."""
    message = " ".join(message.split())
    if not message or len(message) > LENGTH:
        raise Unavailable(_("Write something, of at most %(limit)d characters.") % {"limit": LENGTH})
    engines_of: dict[tuple[int, int], list[Instance]] = defaultdict(list)
    for instance in instances:
        engines_of[instance.tenant_id, instance.owner_id].append(instance)
    for engines in engines_of.values():
        tenant, owner = engines[0].tenant, engines[0].owner
        names = [each.name for each in engines]
        shown = ", ".join(names[:NAMED]) + (f" + {len(names) - NAMED}" if len(names) > NAMED else "")
        context = {"names": shown, "message": message, "by": by.get_username()}
        notify(tenant=tenant, kind="operator_message", recipients=[owner], key=str(uuid.uuid4()), context=context)
        subject = Subject("user", str(owner.pk), owner.get_username())
        record("instance.owner_written", actor=by, tenant=tenant, subject=subject, details={"message": message, "engines": names})
    return len(engines_of)
