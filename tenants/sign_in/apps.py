"""Django application configuration: an application of its own, as allauth looks for kinds of providers in applications."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SignInConfig(AppConfig):
    """Signing in and out."""

    name = "tenants.sign_in"
    label = "sign_in"
    verbose_name = _("Sign-in")

    def ready(self) -> None:
        """Have Django find the checks."""
        import tenants.sign_in.checks  # noqa: F401, PLC0415 - checks register themselves once applications are ready
