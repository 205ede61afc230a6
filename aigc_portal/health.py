"""What those who run the portal ask it, from outside sign-in: does it live, is it ready, how old is what it knows.

None of it names a tenant. `/metrics` is Prometheus' text format and asks for a token: names of clusters are nobody's business.
"""

import hmac

import redis
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from engines.models import Cluster
from engines.queries.clusters import watch_ages


@require_safe
@never_cache
def live(_request: HttpRequest) -> HttpResponse:
    """Say that the process answers: what a liveness probe may ask, since it depends on nothing else."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@never_cache
def ready(_request: HttpRequest) -> HttpResponse:
    """Say whether the database, Valkey and the watcher of every cluster do their work: 503 and what does not, if not."""
    failing = [name for name, works in (("database", _database), ("valkey", _valkey)) if not works()]
    if not failing:
        failing = ["watcher"] * any(age is None or age > Cluster.SILENT_AFTER.total_seconds() for age in watch_ages().values())
    return JsonResponse({"ready": not failing, "failing": failing}, status=503 if failing else 200)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Return gauges for Prometheus; 404 without the token of `AIGC_METRICS_TOKEN`, as if there were nothing."""
    expected = f"Bearer {settings.METRICS_TOKEN}"
    given = request.headers.get("Authorization", "")
    if not settings.METRICS_TOKEN or not hmac.compare_digest(given.encode(), expected.encode()):
        raise Http404
    lines = [
        "# HELP aigc_cluster_watch_age_seconds Seconds since a cluster's watcher was last awake; +Inf if it never was.",
        "# TYPE aigc_cluster_watch_age_seconds gauge",
        *(
            f'aigc_cluster_watch_age_seconds{{cluster="{slug}"}} {"+Inf" if age is None else f"{age:.1f}"}'
            for slug, age in sorted(watch_ages().items())
        ),
    ]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; version=0.0.4; charset=utf-8")


def _database() -> bool:
    try:
        connection.ensure_connection()
    except (DatabaseError, InterfaceError):
        return False
    return True


def _valkey() -> bool:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError):
        return False
