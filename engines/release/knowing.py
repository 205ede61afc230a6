"""What is known of a run: the row that earlier looks wrote, and what gwauth has noted since."""

from datetime import datetime

from engines.activity.recorded import Recorded
from engines.idle.decision import Known
from engines.models import Instance, Use

EMPTY = {
    **dict.fromkeys(("user_at", "api_at", "stream_at", "busy_since", "unknown_since", "looked_at", "due_at")),
    **dict.fromkeys(("keep_until", "stop_due_at", "releasing_since")),
    "free_looks": 0,
    "why": "",
    "evidence": "",
    "when_free": False,
}


def joined_use(instance: Instance) -> Use | None:
    """The row about the present run, of an instance whose `use` is joined; None if there is none, or it is of an older run."""
    use = getattr(instance, "use", None)  # a row that need not exist
    return use if use is not None and use.run_id == instance.run_id else None


def use_of(instance: Instance) -> Use:
    """Return the row about the present run; an older run's is emptied first, with what people asked of that run."""
    use, _made = Use.objects.get_or_create(instance=instance, defaults={"run_id": instance.run_id})
    if use.run_id != instance.run_id:
        Use.objects.filter(pk=use.pk).exclude(run_id=instance.run_id).update(**EMPTY, run_id=instance.run_id)
        use.refresh_from_db()
    return use


def known_of(instance: Instance, use: Use, recorded: Recorded, now: datetime) -> Known:
    """Join both; the newer of two moments counts. The instance is ready."""
    assert instance.ready_at is not None  # noqa: S101 - RUNNING implies it; for the type checker
    return Known(
        ready_at=instance.ready_at,
        user_at=_newer(use.user_at, recorded.user_at),
        api_at=_newer(use.api_at, recorded.api_at),
        stream_at=_newer(use.stream_at, recorded.work_at),
        streams_counted=recorded.counts_streams(now),
        keep_until=use.keep_until,
        stop_due_at=use.stop_due_at,
        when_free=use.when_free,
        busy_since=use.busy_since,
        unknown_since=use.unknown_since,
        free_looks=use.free_looks,
        looked_at=use.looked_at,
    )


def _newer(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((each for each in (one, other) if each is not None), default=None)
