"""Django application configuration."""

from django.apps import AppConfig


class GatewayConfig(AppConfig):
    """Gateway."""

    name = "gateway"
    verbose_name = "Gateway"
