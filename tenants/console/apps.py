"""Django's admin with our own site, in place of `django.contrib.admin` among the installed apps."""

from django.contrib.admin.apps import AdminConfig


class ConsoleConfig(AdminConfig):
    """The admin, whose site asks for more than staff status."""

    default_site = "tenants.console.site.Console"
