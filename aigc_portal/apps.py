"""Django application configuration."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """The site itself: settings checks, embedded services, the demo."""

    name = "aigc_portal"

    def ready(self) -> None:
        """Register the checks of settings."""
        from aigc_portal import checks  # noqa: F401, PLC0415 - registers on import, which needs the apps to be loading
