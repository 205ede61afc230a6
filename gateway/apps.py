"""Django application configuration."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class GatewayConfig(AppConfig):
    """Gateway."""

    name = "gateway"
    verbose_name = _("Gateway")
