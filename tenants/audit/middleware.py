"""Every request names its origin, for whatever it writes into the audit log."""

from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from django.http import HttpRequest, HttpResponse

from tenants.audit.origin import Channel, Origin, originating
from tenants.impersonation.looking import operator_behind

_CHANNELS = {"admin": Channel.ADMIN, "api": Channel.API, "gw": Channel.GATEWAY}
"""By the first part of the path; everything else is a page of the portal."""


class OriginMiddleware:
    """Name the origin around the view."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Take the channel from the path and the address from the connection, whose proxies the server has seen through."""
        channel = _CHANNELS.get(request.path_info.split("/", 2)[1], Channel.PORTAL)
        operator = operator_behind(request)
        behind = operator.pk if operator is not None else None
        with originating(Origin(channel=channel, address=_address(request.META.get("REMOTE_ADDR") or ""), behind=behind)):
            return self.get_response(request)


def _address(text: str) -> str:
    """Return the address in one spelling; nothing for what is none, such as a socket's path."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
