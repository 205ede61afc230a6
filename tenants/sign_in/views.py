"""Going to a provider, coming back from it, and being told by it that somebody signed out."""

import logging
from typing import Any

from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tenants.sign_in import configuration
from tenants.sign_in.departures import signed_out_there
from tenants.sign_in.discovery import ProviderUnavailable, ProviderWrong
from tenants.sign_in.provider import StrictAdapter
from tenants.sign_in.tokens import TokenRefused, verify_logout_token

log = logging.getLogger(__name__)


class _Callback(OAuth2CallbackView):  # type: ignore[misc]
    """Hands the nonce of the state that came back to what checks the ID token."""

    def _get_state(self, request: HttpRequest, provider: Any) -> Any:
        state, answer = super()._get_state(request, provider)
        if state is not None:
            self.adapter.nonce = str(state.get("nonce") or "")
        return state, answer


@never_cache
def sign_in(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Send the visitor to the provider; asked by GET, ask first whether they want to go.

    They go by a page and not by a redirect: browsers apply `form-action` to wherever a form's answer leads, and providers pass
    people on to others that nobody can name beforehand.
    """
    adapter = StrictAdapter(request, provider_id)
    try:
        answer: HttpResponse = OAuth2LoginView.adapter_view(adapter)(request)
    except SocialApp.DoesNotExist:
        raise Http404 from None
    except OAuth2Error as error:
        answer = render_authentication_error(request, adapter.get_provider(), exception=error)
    if answer.status_code != 302:
        return answer
    found = configuration.provider(provider_id)
    return render(request, "socialaccount/onwards.html", {"address": answer["Location"], "name": found.name if found else ""})


@never_cache
def come_back(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Finish a sign-in with what the provider sent the visitor back with."""
    try:
        answer: HttpResponse = _Callback.adapter_view(StrictAdapter(request, provider_id))(request)
    except SocialApp.DoesNotExist:
        raise Http404 from None
    return answer


@csrf_exempt
@require_POST
@never_cache
def back_channel_logout(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Take a provider's word, by a signed token, that somebody signed out there (Back-Channel Logout 1.0 §2.8)."""
    provider = configuration.provider(provider_id)
    if provider is None:
        raise Http404
    try:
        claims = verify_logout_token(request.POST.get("logout_token", ""), provider=provider)
    except TokenRefused as error:
        log.warning("a logout token for %s was refused: %s", provider_id, error)
        return JsonResponse({"error": "invalid_request", "error_description": str(error)}, status=400)
    except (ProviderUnavailable, ProviderWrong) as error:
        log.warning("a logout token for %s could not be checked: %s", provider_id, error)
        return JsonResponse({"error": "temporarily_unavailable"}, status=503)
    signed_out_there(claims, provider)
    return HttpResponse()
