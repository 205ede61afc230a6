"""Policy that django-allauth asks us for."""

from allauth.account.adapter import DefaultAccountAdapter
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest

from tenants.rights import announce_rights_on_commit


class InvitedOnlyAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Accounts are made by operators; nobody signs up by themselves. What ends a session ends its visits at once."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002 - allauth passes it
        """Refuse self-service sign-up."""
        return False

    def logout(self, request: HttpRequest) -> None:
        """Sign out, and tell who remembers that the session was there."""
        super().logout(request)
        announce_rights_on_commit()

    def set_password(self, user: AbstractBaseUser, password: str) -> None:
        """Change or reset the password, which ends the person's other sessions."""
        super().set_password(user, password)
        announce_rights_on_commit()
