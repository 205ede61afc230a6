"""Django application configuration."""

from django.apps import AppConfig


class EnginesConfig(AppConfig):
    """Engines."""

    name = "engines"
    verbose_name = "Engines"
