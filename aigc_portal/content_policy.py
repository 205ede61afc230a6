"""What browsers may load and run on the portal's pages: docs/adr/0013-content-policy.md says why it is as it is.

Our own pages run scripts by nonce alone, so that nothing that people upload can be one. The operators' admin is others'
templates, whose script elements have no nonce: there scripts come from our static files and the admin's own words, nowhere else.
"""

from typing import Any

from csp.constants import NONCE
from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse


def directives(*, portal: str, static_url: str, engines: str) -> dict[str, Any]:
    """Return the policy of our pages; `portal` is an origin, `engines` a source that covers every engine's."""
    ours = f"{portal}{static_url}"
    return {
        "default-src": ["'none'"],
        "script-src": [NONCE],
        "style-src": [ours],
        "font-src": [ours],
        "img-src": ["'self'", "data:"],
        "connect-src": ["'self'"],
        "manifest-src": ["'self'"],
        "form-action": ["'self'", engines],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }


class PolicyMiddleware(CSPMiddleware):
    """The policy of the settings, with the admin's own sources of scripts in the admin."""

    def get_policy_parts(self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False) -> PolicyParts:
        """Return what makes the policy of one answer."""
        parts = super().get_policy_parts(request, response, report_only)
        if request.path_info.startswith(reverse("admin:index")):
            origin = settings.PORTAL_ORIGIN
            scripts = [f"{origin}{settings.STATIC_URL}", f"{origin}{reverse('admin:jsi18n')}"]
            parts.replace = {"script-src": scripts} | (parts.replace or {})
        return parts
