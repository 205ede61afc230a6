"""How a refusal becomes an answer; the domain itself knows no HTTP."""

from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from tenants.errors import NotAllowed, NotVisible, PortalError
from tenants.quotas.refusal import told


class PortalErrorMiddleware:
    """404 for what is not visible, 403 for what is not allowed, 422 for other refusals that no form caught."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on; `process_exception` does the work."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Translate a PortalError; leave all else to Django."""
        if isinstance(exception, NotVisible):
            raise Http404 from exception
        if isinstance(exception, PortalError):
            denied = isinstance(exception, NotAllowed)
            context = {"refusal": told(exception, getattr(request, "user", None)), "denied": denied}
            return render(request, "refused.html", context, status=403 if denied else 422)
        return None
