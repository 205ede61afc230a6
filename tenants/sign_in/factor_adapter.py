"""What allauth asks of us about second factors: how their secrets are stored, and which host passkeys belong to."""

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.utils.translation import gettext as _

from aigc_portal.sealing import seal, unseal
from tenants.models import User


class FactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Secrets are sealed as all others are; passkeys belong to the portal's own name, whatever name it was asked by."""

    def encrypt(self, text: str) -> str:
        """Seal the secret of an authenticator app, or the seed of recovery codes."""
        return seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        """Open it again."""
        return unseal(encrypted_text)

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Name the relying party: the portal's host without its port, and the site."""
        return {"id": settings.PORTAL_HOST.partition(":")[0], "name": settings.SITE_NAME}

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:  # noqa: A002 - allauth's name
        """Propose a name for a new passkey."""
        number = Authenticator.objects.filter(user_id=user.pk, type=type).count() + 1
        return _("Passkey") if number == 1 else _("Passkey %(number)s") % {"number": number}
