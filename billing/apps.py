"""Django application configuration."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """Billing."""

    name = "billing"
    verbose_name = "Billing"
