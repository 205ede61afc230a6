"""Every kind of event in the audit log, with its words. Each part of the product adds its own here."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# What somebody did, as it stands between their name and the thing's: "alice" "launched an engine" "Dragon".
KINDS: Mapping[str, str | Promise] = {
    "api_token.made": _("made an API token"),
    "api_token.revoked": _("revoked an API token"),
    "audit.exported": _("exported the audit log"),
    "audit.forgotten": _("deleted old entries of the audit log"),
    "catalog.adopted": _("added a GPU class that a cluster proposed"),
    "catalog.copied": _("copied an engine version to a draft"),
    "catalog.default_chosen": _("made an engine version the default"),
    "catalog.deprecated": _("deprecated an engine version"),
    "catalog.loaded": _("loaded catalog files"),
    "catalog.published": _("published an engine version"),
    "cluster.secret_forgotten": _("removed a credential of a cluster"),
    "cluster.secret_stored": _("stored a credential of a cluster"),
    "console.added": _("added in the console"),
    "console.changed": _("changed in the console"),
    "console.deleted": _("deleted in the console"),
    "costs.exported": _("exported costs"),
    "impersonation.acting": _("began to act for"),
    "impersonation.ended": _("stopped looking as"),
    "impersonation.started": _("began to look as"),
    "instance.cancelled": _("cancelled a start"),
    "instance.class_changed": _("changed the GPU class of an engine"),
    "instance.deleted": _("deleted an engine"),
    "instance.handed_over": _("handed an engine over"),
    "instance.kept": _("kept an engine on"),
    "instance.launched": _("launched an engine"),
    "instance.log_taken": _("downloaded the log of an engine"),
    "instance.not_when_free": _("took back the release of an engine"),
    "instance.owner_written": _("wrote about engines to"),
    "instance.paused": _("paused an engine"),
    "instance.renamed": _("renamed an engine"),
    "instance.restarted": _("restarted an engine"),
    "instance.resumed": _("started an engine again"),
    "instance.shared": _("shared an engine"),
    "instance.share_changed": _("changed the end of a share"),
    "instance.share_ended": _("ended a share"),
    "instance.visited": _("entered an engine"),
    "instance.when_free": _("asked to release an engine once it is free"),
    "member.role_changed": _("changed a member’s role"),
    "price.set": _("set a price"),
    "release.limits_removed": _("removed the team’s own limits of release"),
    "release.limits_set": _("set the team’s own limits of release"),
    "release.schedule_added": _("added a schedule"),
    "release.schedule_removed": _("removed a schedule"),
    "volume.archived": _("downloaded files"),
    "volume.files_deleted": _("deleted files"),
    "volume.restored": _("restored data from the trash"),
    "volume.trashed": _("moved data to the trash"),
    "webhook.added": _("added a webhook"),
    "webhook.changed": _("changed a webhook"),
    "webhook.deleted": _("deleted a webhook"),
    "webhook.disabled": _("turned a webhook off"),
    "webhook.enabled": _("turned a webhook on"),
    "webhook.rotated": _("gave a webhook a new secret"),
}

# What the kinds that begin so are about, for the filter; one that is missing here is listed under its own name.
GROUPS: Mapping[str, str | Promise] = {
    "api_token": _("API tokens of engines"),
    "audit": _("Audit log"),
    "catalog": _("Catalog"),
    "cluster": _("Clusters"),
    "console": _("Operators’ console"),
    "costs": _("Costs"),
    "impersonation": _("Looking as somebody"),
    "instance": _("Engines"),
    "member": _("Members"),
    "price": _("Prices"),
    "release": _("Release"),
    "volume": _("Data"),
    "webhook": _("Webhooks"),
}


def group_of(kind: str) -> str:
    """Return what a kind is about: the part before the dot."""
    return kind.partition(".")[0]
