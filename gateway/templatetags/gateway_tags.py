"""Addresses of engines, and access to their APIs, in templates."""

from django import template

from engines.addresses import engine_origin
from engines.models import Instance
from gateway.api_tokens.forms import ApiTokenForm
from gateway.api_tokens.queries import ApiAccess
from gateway.api_tokens.queries import api_access as access_of
from tenants.models import Membership

register = template.Library()


@register.simple_tag
def engine_url(instance: Instance) -> str:
    """The address of the instance's own pages."""
    return f"{engine_origin(instance.slug)}/"


@register.simple_tag
def api_access(membership: Membership, instance: Instance) -> ApiAccess:
    """What the member sees of the instance's API tokens."""
    return access_of(membership, instance)


@register.simple_tag
def api_token_form() -> ApiTokenForm:
    """A form to make one."""
    return ApiTokenForm()
