"""Django application configuration."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """The site itself: settings checks, embedded services, the demo."""

    name = "aigc_portal"
