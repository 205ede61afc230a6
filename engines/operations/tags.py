"""What an instance's costs are for: a project or a campaign, chosen at launch and changed whenever that changes.

The second of a change belongs to the new tag; billing divides running time and storage there.
"""

import unicodedata
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from engines import hints, live
from engines.auditing import record_instance
from engines.models import Instance, InstanceEvent, TagChange, Volume, VolumeFact
from engines.models.run import TAG_LENGTH
from engines.operations.locks import lock_instance, lock_tenant
from engines.reasons import Reason
from engines.volume_facts import note_volume
from tenants.errors import NotPossible
from tenants.models import Membership, Tenant


@transaction.atomic
def change_tag(*, instance: Instance, by: Membership, tag: str) -> None:
    """Let its running time and its storage be for another project from this second on; the empty tag is for none.

    Does nothing if that is its tag already. Raises NotPossible for what is no name of a project.
    """
    tenant = lock_tenant(by.tenant_id)
    instance = lock_instance(instance, by)
    tag = spelled(tenant, tag)
    if tag == instance.tag:
        return
    old, now = instance.tag, timezone.now()
    Instance.objects.filter(pk=instance.pk).update(tag=tag)
    instance.tag = tag
    TagChange.objects.create(instance=instance, at=now, from_tag=old, to_tag=tag, actor=by.user)
    note_tag(instance.volume, tag, at=now)
    instance.log(InstanceEvent.Kind.NOTE, Reason.TAG_CHANGED, by=by.user, evidence=f"{old or '–'} → {tag or '–'}")
    record_instance("instance.tag_changed", instance, by, **{"from": old, "to": tag})
    hints.settle_on_commit(instance.pk)
    live.announce_on_commit(instance)


def note_tag(volume: Volume, tag: str, *, at: datetime) -> None:
    """Write down that data is for this project from now on; what is not made yet is noted once it is."""
    if volume.provisioned_at is None:
        return
    last = VolumeFact.objects.filter(volume=volume).order_by("at", "pk").last()
    if last is None or last.tag != tag:
        note_volume(volume, VolumeFact.Kind.CHANGED, at=at, tag=tag)


def spelled(tenant: Tenant, tag: str) -> str:
    """Return the tag as the tenant writes it already, in whatever case, else as it was typed, without spaces that say nothing.

    Raises NotPossible.
    """
    tag = " ".join(unicodedata.normalize("NFC", tag).split())
    if len(tag) > TAG_LENGTH:
        raise NotPossible(_("The project’s name is longer than %(limit)d characters.") % {"limit": TAG_LENGTH})
    if '"' in tag or any(unicodedata.category(sign).startswith("C") for sign in tag):
        raise NotPossible(_("A project’s name has neither double quotes nor control characters."))
    if not tag:
        return ""
    known = tenant.instances.filter(tag__iexact=tag).order_by("-created_at").values_list("tag", flat=True).first()
    return known or tag
