"""Addresses of engines in templates."""

from django import template

from engines.models import Instance
from gateway.names import engine_origin

register = template.Library()


@register.simple_tag
def engine_url(instance: Instance) -> str:
    """The address of the instance's own pages."""
    return f"{engine_origin(instance.slug)}/"
