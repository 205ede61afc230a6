"""Every kind of event in the audit log, with its words. Each part of the product adds its own here."""

from django.utils.translation import gettext_lazy as _

KINDS = {
    "instance.launched": _("launched an engine"),
    "member.role_changed": _("changed a member’s role"),
    "quota.removed": _("removed a limit"),
    "quota.set": _("set a limit"),
    "quota_request.approved": _("granted a higher limit"),
    "quota_request.asked": _("asked for a higher limit"),
    "quota_request.passed_on": _("passed a request for a higher limit on to operators"),
    "quota_request.refused": _("refused a higher limit"),
    "quota_request.withdrawn": _("withdrew a request for a higher limit"),
}
