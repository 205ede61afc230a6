"""The portal's half of a visit to an engine: signing in, and waiting for one that does not run."""

from urllib.parse import urlencode

import redis
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRedirect

from engines.models import Instance
from engines.operations.instances import cancel_launch, resume_instance
from engines.queries.phases import queue_position, steps_of
from engines.states import COMING_UP, DesiredState, InstanceState
from gateway import handoff
from gateway.answers import RETRY_SECONDS
from gateway.names import engine_origin, safe_path
from gateway.standing import find_visit
from gateway.waiting import can_be_cancelled, is_coming, is_queueing, last_wish, waiting_sentence
from tenants import access
from tenants.models import Membership, User

SHOWS_STEPS = COMING_UP | {InstanceState.FAILED}


@require_GET
@never_cache
@login_required
def authorize(request: HttpRequest) -> HttpResponse:
    """Send a visitor who may enter back to the engine's host with a one-time code; changes nothing for anybody else."""
    instance, _membership = _find(request, request.GET.get("instance", ""))
    path = safe_path(request.GET.get("rd", "/"))
    nonce_digest = request.GET.get("n", "")
    if not handoff.is_digest(nonce_digest):
        return HttpResponseBadRequest("n is not the digest of a nonce", content_type="text/plain")
    if instance.state != InstanceState.RUNNING:
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
    # The code must not travel on as a Referer.
    return HttpResponseRedirect(handoff.callback_url(instance.slug, code), headers={"Referrer-Policy": "no-referrer"})


@require_GET
@never_cache
@login_required
def waking(request: HttpRequest, slug: str) -> HttpResponse:
    """Say why the engine does not answer, offer to start it, and go on to it once it runs. Looking starts nothing."""
    instance, membership = _find(request, slug)
    path = safe_path(request.GET.get("rd", "/"))
    is_fragment = request.headers.get("HX-Request") == "true"
    if instance.state == InstanceState.RUNNING:
        address = engine_origin(slug) + path
        return HttpResponseClientRedirect(address) if is_fragment else HttpResponseRedirect(address)
    template = "gateway/_waking.html" if is_fragment else "gateway/waking.html"
    return render(request, template, _waking_context(instance, membership, path))


@require_POST
@login_required
def start(request: HttpRequest, slug: str) -> HttpResponse:
    """Start or retry the engine that the visitor waits for."""
    instance, membership = _find(request, slug)
    resume_instance(instance=instance, by=membership)
    return redirect(_waking_url(slug, safe_path(request.POST.get("rd", "/"))))


@require_POST
@login_required
def cancel(request: HttpRequest, slug: str) -> HttpResponse:
    """Stop coming up; the visitor has changed their mind."""
    instance, membership = _find(request, slug)
    cancel_launch(instance=instance, by=membership)
    return redirect(_waking_url(slug, safe_path(request.POST.get("rd", "/"))))


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


def _waking_context(instance: Instance, membership: Membership, path: str) -> dict[str, object]:
    may_operate = access.may_operate(membership, owner_id=instance.owner_id)
    coming = is_coming(instance)
    # The wish to start is not acted on yet: reason and steps are still those of the last run.
    stale = coming and instance.state not in COMING_UP
    going = instance.desired_state == DesiredState.DELETED
    return {
        "instance": instance,
        "headline": waiting_sentence(instance),
        "membership": membership,
        "current_tenant": membership.tenant,
        "live_instance": instance.slug,
        "explanation": None if stale else instance.explanation,
        "steps": steps_of(instance) if instance.state in SHOWS_STEPS and not stale else [],
        "queue_position": queue_position(instance) if is_queueing(instance) else None,
        "wish": last_wish(instance),
        "path": path,
        "coming": coming,
        "can_start": not coming and not going,
        "can_cancel": may_operate and can_be_cancelled(instance),
    }
