"""Pages about people and tenants."""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe
from django.views.i18n import set_language

from tenants import access
from tenants.models import User
from tenants.team.queries import invitations_to


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Go to the tenant visited last, or the first; tell somebody without one what to do."""
    tenants = list(access.tenants_of(request.user))  # type: ignore[arg-type]
    if not tenants:
        return render(request, "tenants/none.html", {"invitations": invitations_to(request.user)})  # type: ignore[arg-type]
    last = request.session.get("last_tenant")
    chosen = next((tenant for tenant in tenants if tenant.slug == last), tenants[0])
    return redirect("instances", tenant_slug=chosen.slug)


@require_safe
@cache_control(public=True, max_age=86_400)
def favicon(_request: HttpRequest) -> HttpResponse:
    """Lead browsers and feed readers, which ask for this by themselves, to the icon that pages name."""
    return redirect(static("icons/portal.svg"))


def choose_language(request: HttpRequest) -> HttpResponse:
    """Switch the pages' language, and write to the person in it from then on."""
    answer = set_language(request)
    chosen = answer.cookies.get(settings.LANGUAGE_COOKIE_NAME)
    if chosen is not None and request.user.is_authenticated:
        User.objects.filter(pk=request.user.pk).update(language=chosen.value)
    return answer


def remember_language(answer: HttpResponse, language: str) -> HttpResponse:
    """Have the browser ask for pages in this language from the answer on; as it likes without one."""
    if not language:
        answer.delete_cookie(settings.LANGUAGE_COOKIE_NAME)
        return answer
    answer.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite="Lax",
    )
    return answer
