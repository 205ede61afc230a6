"""The site of the operators' console: a right of its own, and a second factor."""

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from unfold.sites import UnfoldAdminSite

from tenants.console import second_factor
from tenants.models import User

PERMISSION = "tenants.use_console"
View = Callable[..., HttpResponseBase]


class Console(UnfoldAdminSite):  # type: ignore[misc]
    """Staff status alone opens nothing; each page then asks for its own permission as ever."""

    def has_permission(self, request: HttpRequest) -> bool:
        """Tell whether somebody may enter."""
        user = request.user
        return bool(user.is_active and user.is_staff and user.has_perm(PERMISSION))

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Lead an operator without a proven second factor to it before anything is shown."""
        inner: View = super().admin_view(view, cacheable)

        @wraps(inner)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not self.has_permission(request) or not second_factor.is_lacking(request, cast("User", request.user)):
                return inner(request, *args, **kwargs)
            messages.warning(request, _("The operators’ console needs a second factor. Set one up, or confirm yours."))
            back_to = request.get_full_path() if request.method == "GET" else "/admin/"
            return redirect(second_factor.way_to(cast("User", request.user), back_to=back_to))

        return guarded

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:  # noqa: ARG002 - Django's
        """Sign in as everybody does: rate limits, providers and second factors hold for operators too."""
        if not request.user.is_authenticated:
            return redirect_to_login(request.GET.get("next", "/admin/"), settings.LOGIN_URL)
        if not self.has_permission(request):
            raise PermissionDenied
        return redirect("admin:index")
