"""The refusal of what would exceed a limit: a sentence, and what it takes to ask for more."""

from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from tenants.errors import PortalError, QuotaExceeded
from tenants.quotas.measures import Scope


class LimitReached(QuotaExceeded):
    """A limit would be exceeded; `scope` says which, and of which tenant, for whoever wants to ask for more."""

    def __init__(self, sentence: str, *, scope: Scope, tenant_slug: str) -> None:
        super().__init__(sentence)
        self.scope, self.tenant_slug = scope, tenant_slug


def ask_address(tenant_slug: str, scope: Scope) -> str:
    """Return the page on which somebody asks for more of this, filled in."""
    query = {"measure": scope.measure, "gpu_class": scope.gpu_class_id, "whole": "1" if scope.whole_tenant else ""}
    filled = urlencode({key: value for key, value in query.items() if value})
    return f"{reverse('limits_ask', args=[tenant_slug])}?{filled}"


def told(refusal: PortalError, reader: object) -> str:
    """Return the sentence, with a link to ask for more where this user can: of their own limit, or of the whole tenant's."""
    if not isinstance(refusal, LimitReached):
        return str(refusal)
    if not refusal.scope.whole_tenant and refusal.scope.user_id != getattr(reader, "pk", None):
        return str(refusal)
    return format_html('{} <a href="{}">{}</a>', str(refusal), ask_address(refusal.tenant_slug, refusal.scope), _("Ask for more"))


class BeyondCeiling(PortalError):
    """More than operators let the tenant have."""


class CannotAsk(PortalError):
    """A request that is there already, or decided already, or asks for nothing."""
