"""Every kind of event in the audit log, with its words. Each part of the product adds its own here."""

from django.utils.translation import gettext_lazy as _

KINDS = {
    "instance.launched": _("launched an engine"),
    "member.role_changed": _("changed a member’s role"),
}
