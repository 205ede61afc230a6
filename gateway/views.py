"""The portal's half of a visit to an engine: signing in, and waiting for one that does not run."""

from urllib.parse import urlencode

import redis
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from engines.addresses import engine_origin
from engines.errors import Unavailable
from engines.models import Instance
from engines.operations.instances import cancel_wake
from gateway import handoff
from gateway.answers import RETRY_SECONDS
from gateway.arrivals import Arrival, arrival_of
from gateway.names import safe_path
from gateway.standing import find_visit
from gateway.visits import note_visit
from gateway.waiting import Question, is_reachable
from gateway.waiting_page import WaitingPage
from gateway.wakes import wake_by_click, wake_by_itself
from tenants.errors import NotAllowed, NotVisible, PortalError
from tenants.models import Membership, User
from tenants.quotas.refusal import told


@require_GET
@never_cache
@login_required
def authorize(request: HttpRequest) -> HttpResponse:
    """Send a visitor who may enter back to the engine's host with a one-time code; changes nothing for anybody else."""
    instance, membership = _find(request, request.GET.get("instance", ""))
    path = safe_path(request.GET.get("rd", "/"))
    nonce_digest = request.GET.get("n", "")
    if not handoff.is_digest(nonce_digest):
        return HttpResponseBadRequest("n is not the digest of a nonce", content_type="text/plain")
    if not is_reachable(instance):
        return redirect(_waking_url(instance.slug, path))
    session_key = str(request.session.session_key)
    grant = handoff.Grant(
        slug=instance.slug,
        user_id=_person(request).pk,
        session=handoff.session_digest(session_key),
        nonce_digest=nonce_digest,
        path=path,
    )
    try:
        code = handoff.issue_code(grant, session_key=session_key)
    except redis.RedisError:
        return _unavailable(request)
    note_visit(instance=instance, by=membership, session=grant.session)
    # The code must not travel on as a Referer.
    return HttpResponseRedirect(handoff.callback_url(instance.slug, code), headers={"Referrer-Policy": "no-referrer"})


@require_GET
@never_cache
@login_required
def waking(request: HttpRequest, slug: str) -> HttpResponse:
    """Say why the engine does not answer, and go on to it once it runs. Looking starts nothing.

    The page that is shown to somebody who came on purpose then starts the engine by a POST of its own.
    """
    instance, membership = _find(request, slug)
    path = safe_path(request.GET.get("rd", "/"))
    if _is_fragment(request):
        page = WaitingPage(instance, membership, path, arrival=Arrival.BY_HAND)
        return HttpResponse(status=204) if request.GET.get("seen") == page.version else _fragment(request, page)
    if is_reachable(instance):
        return HttpResponseRedirect(engine_origin(slug) + path)
    return _whole_page(request, WaitingPage(instance, membership, path, arrival=arrival_of(request.headers)))


@require_POST
@login_required
def start(request: HttpRequest, slug: str) -> HttpResponse:
    """Start or retry the engine that the visitor waits for; `by=page` when nobody clicked."""
    instance, membership = _find(request, slug)
    asked, refusal = None, ""
    try:
        if request.POST.get("by") == "page":
            asked = wake_by_itself(instance, membership)
        else:
            wake_by_click(instance, membership)
    except (NotVisible, NotAllowed):
        raise
    except PortalError as error:
        refusal = told(error, request.user)
    return _acted(request, slug, asked=asked, refusal=refusal)


@require_POST
@login_required
def cancel(request: HttpRequest, slug: str) -> HttpResponse:
    """Stop coming up; the visitor has changed their mind."""
    instance, membership = _find(request, slug)
    refusal = ""
    try:
        cancel_wake(instance=instance, by=membership)
    except Unavailable as error:  # it came up meanwhile
        refusal = str(error)
    return _acted(request, slug, refusal=refusal)


def _acted(request: HttpRequest, slug: str, *, asked: Question | None = None, refusal: str = "") -> HttpResponse:
    """Show what has become of it: in the open page, or by a page of its own for a browser without scripts."""
    path = safe_path(request.POST.get("rd", "/"))
    if not _is_fragment(request) and not refusal:
        return redirect(_waking_url(slug, path))
    instance, membership = _find(request, slug)
    page = WaitingPage(instance, membership, path, arrival=Arrival.BY_HAND, asked=asked)
    return (_fragment if _is_fragment(request) else _whole_page)(request, page, refusal)


def _is_fragment(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def _fragment(request: HttpRequest, page: WaitingPage, refusal: str = "") -> HttpResponse:
    return render(request, "gateway/_waking.html", {"page": page, "refusal": refusal}, status=422 if refusal else 200)


def _whole_page(request: HttpRequest, page: WaitingPage, refusal: str = "") -> HttpResponse:
    context = {
        "page": page,
        "refusal": refusal,
        "starts_by_itself": page.starts_by_itself and not refusal,
        "when_seen": page.arrival is Arrival.DIRECT,
        "membership": page.membership,
        "current_tenant": page.membership.tenant,
        "live_instance": page.instance.slug,
    }
    return render(request, "gateway/waking.html", context, status=422 if refusal else 200)


def _unavailable(request: HttpRequest) -> HttpResponse:
    response = render(request, "gateway/unavailable.html", status=503)
    response["Retry-After"] = str(RETRY_SECONDS)
    return response


def _find(request: HttpRequest, slug: str) -> tuple[Instance, Membership]:
    return find_visit(slug, _person(request))


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - login_required; for the type checker
    return request.user


def _waking_url(slug: str, path: str) -> str:
    return f"{reverse('waking', args=[slug])}?{urlencode({'rd': path})}"
