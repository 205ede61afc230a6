"""Headers that every answer of the portal has, unless a view has said otherwise."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

_POWERS = ("accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "hid", "magnetometer", "microphone", "midi",
           "payment", "screen-wake-lock", "serial", "usb", "xr-spatial-tracking")  # fmt: skip
PERMISSIONS = ", ".join(f"{power}=()" for power in _POWERS)
"""What no script on a page may ask of the machine before it."""

UNSAVED, ASKED_AGAIN = "no-store, private", "no-cache, private"


class HeadersMiddleware:
    """Nothing is kept by anybody, nor embedded elsewhere. Outermost, so that static files and refusals are covered too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Add what is missing; what has a version of its own may be kept by its reader, and is asked for again."""
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", ASKED_AGAIN if response.has_header("ETag") else UNSAVED)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers.setdefault("Permissions-Policy", PERMISSIONS)
        return response
