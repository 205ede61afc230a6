"""What allauth asks of us about accounts: who may come in how, what is written down of it, where a sign-out leads.

allauth calls these methods within its flows, in order and with everything at hand; its signals are not used.
"""

import logging
import smtplib
from typing import Any

from allauth.account.internal.flows.login import get_authentication_records
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from tenants.adapters import InvitedOnlyAdapter
from tenants.audit.operations import Subject, record
from tenants.models import User
from tenants.sign_in.addresses import vouch_for_untouched
from tenants.sign_in.arrivals import arrive, follow_session
from tenants.sign_in.departures import sign_out_address

log = logging.getLogger(__name__)

NOTICES = {
    "account/email/email_changed": "account.address_changed",
    "account/email/email_confirm": "account.address_verified",
    "account/email/email_deleted": "account.address_changed",
    "account/email/password_changed": "account.password_changed",
    "account/email/password_reset": "account.password_reset",
    "account/email/password_set": "account.password_changed",
    "mfa/email/recovery_codes_generated": "account.recovery_codes_made",
    "mfa/email/totp_activated": "account.factor_added",
    "mfa/email/totp_deactivated": "account.factor_removed",
    "mfa/email/webauthn_added": "account.factor_added",
    "mfa/email/webauthn_removed": "account.factor_removed",
    "socialaccount/email/account_connected": "account.provider_connected",
    "socialaccount/email/account_disconnected": "account.provider_disconnected",
}
"""What allauth tells the account's owner by mail, and the audit log's kind of event for it."""
_FACTORS = {"totp": "authenticator app", "webauthn": "passkey"}
SIGN_OUT_THERE = "sign_out_there"
"""Under which the visitor's new, empty session keeps where to go on to."""


class SignInAdapter(InvitedOnlyAdapter):
    """Policy of sign-in on top of that of accounts."""

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse | None:
        """Let nobody but operators in by a password or passkey of the portal's own where that is off, and services never."""
        if user.is_service:
            self._note_failure(user, method_of(request, user), "a service")
            messages.error(request, _("A service works by its token and cannot sign in."))
            return redirect("account_login")
        if not settings.LOCAL_SIGN_IN and not user.is_staff and method_of(request, user) != "provider":
            self._note_failure(user, method_of(request, user), "local sign-in is off")
            messages.error(request, _("Sign in with your organisation’s account."))
            return redirect("account_login")
        vouch_for_untouched(user)
        answer: HttpResponse | None = super().pre_login(request, user, **kwargs)
        return answer

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        """Note who came in, and have their provider's claims count before the first page is shown."""
        sociallogin = (kwargs.get("signal_kwargs") or {}).get("sociallogin")
        details: dict[str, object] = {"method": method_of(request, user)}
        if sociallogin is not None:
            arrive(request, user, sociallogin)
            details["provider"] = sociallogin.account.provider
        record("account.signed_in", actor=user, subject=Subject.account(user), details=details)
        answer: HttpResponse = super().post_login(request, user, **kwargs)
        return answer

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Note whose account it was; never what was typed for nobody's: people type passwords into the wrong field."""
        super().authentication_failed(request, **credentials)
        names = {"email__iexact": credentials.get("email"), "username__iexact": credentials.get("username")}
        found = (User.objects.filter(**{lookup: name}).first() for lookup, name in names.items() if name)
        self._note_failure(next((user for user in found if user is not None), None), "password", "wrong password")

    def logout(self, request: HttpRequest) -> None:
        """Sign out here, and remember where the provider's own session is ended."""
        user, onwards = request.user, sign_out_address(request.session)
        super().logout(request)
        if isinstance(user, User):
            record("account.signed_out", actor=user, subject=Subject.account(user))
        if onwards:
            request.session[SIGN_OUT_THERE] = onwards

    def get_logout_redirect_url(self, request: HttpRequest) -> str:  # noqa: ARG002 - allauth passes it
        """Lead to a page that goes on to the provider, if one began the session."""
        return reverse("signed_out")

    def send_password_reset_mail(self, user: User, email: str, context: dict[str, Any]) -> None:
        """Mail nobody a way to a password that would not open anything."""
        if settings.LOCAL_SIGN_IN or user.is_staff:
            super().send_password_reset_mail(user, email, context)

    def send_notification_mail(
        self, template_prefix: str, user: User, context: dict[str, Any] | None = None, email: str | None = None
    ) -> None:
        """Write down what the owner of the account is told."""
        kind = NOTICES.get(template_prefix)
        if kind is not None:
            record(kind, actor=user, subject=Subject.account(user), details=_details(template_prefix, context or {}))
        if kind == "account.password_changed":
            follow_session(self.request)
        super().send_notification_mail(template_prefix, user, context, email)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send at once; a mail server that does not answer undoes nothing that was done."""
        site = {"name": settings.SITE_NAME, "domain": settings.PORTAL_HOST}
        try:
            super().send_mail(template_prefix, email, {"current_site": site} | context)
        except (OSError, smtplib.SMTPException) as error:
            log.error("mail %s was not sent: %r", template_prefix, error)  # noqa: TRY400 - the trace tells nothing more
            messages.error(self.request, _("The mail could not be sent. Try again in a few minutes."))

    def _note_failure(self, user: User | None, method: str, why: str) -> None:
        subject = Subject.account(user) if user is not None else Subject("person")
        record("account.sign_in_failed", actor=None, subject=subject, details={"method": method, "why": why})


def method_of(request: HttpRequest, user: User) -> str:
    """Return how the person signs in: "provider", "password", "passkey", or "unknown" where nothing was noted.

    A second factor is not the answer: what came before it is.
    """
    noted = get_authentication_records(request, user)
    first = next((each for each in noted if each.get("method") != "mfa" or each.get("passwordless")), None)
    if first is None:
        return "unknown"
    return {"socialaccount": "provider", "mfa": "passkey"}.get(str(first["method"]), str(first["method"]))


def _details(template_prefix: str, context: dict[str, Any]) -> dict[str, object]:
    factor = _FACTORS.get(template_prefix.removeprefix("mfa/email/").partition("_")[0])
    if factor is not None:
        return {"factor": factor}
    account = context.get("account")
    return {"provider": account.provider} if account is not None else {}
