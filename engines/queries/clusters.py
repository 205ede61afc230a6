"""How old what is known of each cluster is."""

from django.utils import timezone

from engines.models import Cluster


def watch_ages() -> dict[str, float | None]:
    """Return, by slug, the seconds since each enabled cluster's watcher was last awake; None if it never was."""
    now = timezone.now()
    watched = Cluster.objects.filter(enabled=True).values_list("slug", "watched_at")
    return {slug: None if at is None else max(0.0, (now - at).total_seconds()) for slug, at in watched}
