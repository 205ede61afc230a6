"""Every kind of event in the audit log, with its words. Each part of the product adds its own here."""

from django.utils.translation import gettext_lazy as _

KINDS = {
    "account.address_changed": _("changed their e-mail address"),
    "account.address_verified": _("verified an e-mail address"),
    "account.factor_added": _("added a second factor"),
    "account.factor_removed": _("removed a second factor"),
    "account.password_changed": _("changed their password"),
    "account.password_reset": _("reset their password by mail"),
    "account.provider_connected": _("connected an account of a provider"),
    "account.provider_disconnected": _("disconnected an account of a provider"),
    "account.recovery_codes_made": _("made new recovery codes"),
    "account.sessions_ended": _("ended sessions"),
    "account.sign_in_failed": _("failed to sign in"),
    "account.signed_in": _("signed in"),
    "account.signed_out": _("signed out"),
    "instance.launched": _("launched an engine"),
    "member.added_by_provider": _("became a member by their provider’s word"),
    "member.lapsed": _("is vouched for by their provider no more"),
    "member.removed_by_provider": _("is no member any more by their provider’s word"),
    "member.role_changed": _("changed a member’s role"),
}
