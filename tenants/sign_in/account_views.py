"""Pages of a person's own account that allauth has none for."""

from allauth.account.internal.flows import logout
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tenants.sign_in.account_adapter import SIGN_OUT_THERE
from tenants.sign_in.forms import ProfileForm
from tenants.sign_in.sessions import end_sessions
from tenants.views import remember_language


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: HttpRequest) -> HttpResponse:
    """Show and change name, time zone and language."""
    user = request.user
    form = ProfileForm(request.POST or None, instance=user)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return remember_language(redirect("account_profile"), form.cleaned_data["language"])
    return render(request, "account/profile.html", {"form": form}, status=422 if form.is_bound else 200)


@login_required
@require_POST
def end_session(request: HttpRequest, pk: int) -> HttpResponse:
    """End one of the person's sessions; the present one by signing out."""
    session = get_object_or_404(UserSession, pk=pk, user=request.user)
    if session.session_key == request.session.session_key:
        logout.logout(request)
        return redirect("signed_out")
    end_sessions(session.user, [session.session_key], by=session.user, why="revoked")
    messages.success(request, _("That session is signed out."))
    return redirect("usersessions_list")


@never_cache
@require_safe
def signed_out(request: HttpRequest) -> HttpResponse:
    """Go on to the provider that began the session, to end its own; else to the sign-in page."""
    address = request.session.pop(SIGN_OUT_THERE, "")
    if not address:
        return redirect("account_login")
    return render(request, "socialaccount/onwards.html", {"address": address, "leaving": True})
