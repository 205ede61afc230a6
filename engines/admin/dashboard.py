"""The operators' first page."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from engines.admin import figures
from engines.admin.badges import badge
from engines.admin.places import watcher_badge
from tenants.access import operator_may


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the cards' figures for those who may see instances, and what an operator should know of the console itself."""
    context |= {"without_second_factor": not settings.REQUIRE_OPERATOR_MFA}
    if not operator_may(request.user, "engines.view_instance"):
        return context
    states = figures.instances_by_state()
    waiting = figures.queues()
    capacities = figures.capacities()
    since = timezone.now() - timedelta(hours=24)
    return context | {
        "figures": {
            "states": [(state, badge(state), count) for state, count in states],
            "total": sum(count for _state, count in states),
            "capacities": [each for each in capacities if each.is_in_sight],
            "without_slots": [each for each in capacities if not each.is_in_sight],
            "queues": waiting,
            "queued": sum(queue.length for queue in waiting),
            "failures": figures.failures_since(since),
            "clusters": [(cluster, watcher_badge(cluster.watched_at)) for cluster in figures.watched_clusters()],
        }
    }
