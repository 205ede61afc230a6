"""Tokens in the mails that let people set a new password."""

from allauth.account.forms import EmailAwarePasswordResetTokenGenerator

from tenants.models import User
from tenants.sign_in.addresses import vouch_for_untouched


class ResetTokens(EmailAwarePasswordResetTokenGenerator):  # type: ignore[misc]
    """allauth's, which end with a change of address; to know the address it would make an unverified row of one without any."""

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        vouch_for_untouched(user)
        return str(super()._make_hash_value(user, timestamp))
