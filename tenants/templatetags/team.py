"""Words of the team pages."""

from django import template

from tenants.models import Role

register = template.Library()


@register.filter
def role_name(role: str) -> str:
    """Name a role as people read it."""
    return str(Role(role).label)
