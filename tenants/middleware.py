"""Times on pages are in the person's own zone."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from tenants.zones import known_zone


class TimeZoneMiddleware:
    """Activate the signed-in person's time zone for the request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Override the zone around the view."""
        zone = request.user.time_zone if request.user.is_authenticated else "UTC"
        with timezone.override(known_zone(zone)):
            return self.get_response(request)
