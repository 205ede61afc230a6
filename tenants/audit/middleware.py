"""Every request names its origin, for whatever it writes into the audit log."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from tenants.audit.origin import Channel, Origin, originating

_CHANNELS = {"admin": Channel.ADMIN, "api": Channel.API, "gw": Channel.GATEWAY}
"""By the first part of the path; everything else is a page of the portal."""


class OriginMiddleware:
    """Name the origin around the view."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Take the channel from the path and the address from the connection, whose proxies the server has seen through."""
        channel = _CHANNELS.get(request.path_info.split("/", 2)[1], Channel.PORTAL)
        with originating(Origin(channel=channel, address=request.META.get("REMOTE_ADDR") or "")):
            return self.get_response(request)
