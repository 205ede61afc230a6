"""Django application configuration."""

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    """Tenants, members, sign-in."""

    name = "tenants"
    verbose_name = "Tenants"
