"""Django application configuration."""

from django.apps import AppConfig
from django.core.checks import register
from django.utils.translation import gettext_lazy as _


class BillingConfig(AppConfig):
    """Billing."""

    name = "billing"
    verbose_name = _("Billing")

    def ready(self) -> None:
        """Register the check of the billing policy."""
        from billing.checks import check_policy  # noqa: PLC0415 - settings are not there when this module is imported

        register(check_policy)
