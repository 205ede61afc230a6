"""Django application configuration."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """The site itself: settings checks, embedded services, the demo."""

    name = "aigc_portal"

    def ready(self) -> None:
        """Register the checks of settings, and have the admin show JSON in a way that its pages' policy allows."""
        from aigc_portal import checks  # noqa: F401, PLC0415 - registers on import, which needs the apps to be loading
        from aigc_portal.operators_json import show_json_without_styles  # noqa: PLC0415 - needs the apps

        show_json_without_styles()
