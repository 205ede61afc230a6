"""Second factors of a person."""

from allauth.mfa.models import Authenticator

from tenants.models import User

_FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
"""Recovery codes stand in for a factor that is lost; they are none."""


def has_second_factor(user: User) -> bool:
    """Tell whether the person has set up an authenticator app, a passkey or a security key."""
    return bool(Authenticator.objects.filter(user_id=user.pk, type__in=_FACTORS).exists())
