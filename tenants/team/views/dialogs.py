"""Questions that are asked in a dialog with JavaScript, and on a page of their own without."""

from collections.abc import Mapping

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django_htmx.http import HttpResponseClientRedirect

from tenants.membership import PortalRequest


def filled(request: HttpRequest) -> QueryDict | None:
    """Return what was sent, also if it is nothing; None if nobody has sent anything yet."""
    return request.POST if request.method == "POST" else None


def ask(request: PortalRequest, template: str, context: Mapping[str, object], *, failed: bool = False) -> HttpResponse:
    """Show a question, which is a form; with its errors if it `failed`."""
    shown = {**context, "question": template, "dialog": bool(request.htmx)}
    page = template if request.htmx else "tenants/team/question.html"
    return render(request, page, shown, status=422 if failed else 200)


def done(request: PortalRequest, address: str, sentence: str) -> HttpResponse:
    """Go on to a page that says what was done."""
    messages.success(request, sentence)
    return HttpResponseClientRedirect(address) if request.htmx else redirect(address)
