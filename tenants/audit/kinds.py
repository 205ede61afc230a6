"""Every kind of event in the audit log, with its words. Each part of the product adds its own here."""

from django.utils.translation import gettext_lazy as _

KINDS = {
    "instance.launched": _("launched an engine"),
    "account.created": _("made an account by an invitation"),
    "invitation.accepted": _("accepted an invitation"),
    "invitation.revoked": _("took an invitation back"),
    "invitation.sent": _("invited somebody"),
    "invitation.sent_again": _("sent an invitation again"),
    "member.added": _("added a member"),
    "member.left": _("left the tenant"),
    "member.removed": _("removed a member"),
    "member.role_changed": _("changed a member’s role"),
    "tenant.deleted": _("the tenant was deleted"),
    "tenant.deletion_asked": _("asked for the tenant to be deleted"),
    "tenant.exported": _("exported everything of the tenant"),
    "tenant.founded": _("made the tenant"),
    "tenant.kept": _("took the deletion of the tenant back"),
    "tenant.renamed": _("renamed the tenant"),
    "tenant.resumed": _("lifted the suspension of the tenant"),
    "tenant.suspended": _("suspended the tenant"),
}
