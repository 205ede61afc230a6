"""How many pictures engines have made: asked of those that can tell, a few times an hour, each job counted once.

What an engine made in the last two minutes before it ended may be missing; nothing is ever counted twice.
"""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Max
from django.utils import timezone

from engines.activity.families import probe_of
from engines.activity.probes.comfyui_history import Job, ask_jobs
from engines.activity.probes.http import NoAnswer
from engines.models import EngineVersion, Instance, PictureCount, Use
from engines.release.knowing import use_of
from engines.release.looking import THREADS, running, undisturbed
from engines.release.spans import KEPT_FOR

log = logging.getLogger(__name__)
ANSWER_SECONDS = 5.0
BUDGET_SECONDS = 60
SKEW = timedelta(minutes=5)
"""What an engine's clock may be off: a job that ended later than so much from now is not believed."""


def tells_pictures(version: EngineVersion) -> bool:
    """Whether engines of this version say what they have made; reads its engine. Others say at most that they work."""
    return probe_of(version.engine.family, version.activity).kind == "comfyui"


def count_all() -> None:
    """Ask every running engine that can tell, and add up what is new."""
    instances = [each for each in running() if tells_pictures(each.engine_version)]
    answers = _ask_all(instances, _counted_to([each.run_id for each in instances]))
    for instance in instances:
        with undisturbed(instance):
            record(instance, answers.get(instance.pk, []), now=timezone.now())


@transaction.atomic
def record(instance: Instance, jobs: Iterable[Job], *, now: datetime) -> None:
    """Add the jobs that are not counted yet; two who do so at once count each of them once."""
    latest = _ms(now + SKEW)
    believed = [job for job in jobs if job.ended_ms <= latest]
    if not believed:
        return
    # The row of what is known of the run is its lock.
    Use.objects.select_for_update(no_key=True).get(pk=use_of(instance).pk)
    counted_to = _counted_to([instance.run_id]).get(instance.run_id, 0)
    fresh = [job for job in believed if job.ended_ms > counted_to]
    if not fresh:
        return
    hour = now.replace(minute=0, second=0, microsecond=0)
    row, _is_new = PictureCount.objects.get_or_create(run_id=instance.run_id, hour_at=hour, defaults={"instance": instance})
    PictureCount.objects.filter(pk=row.pk).update(
        jobs=F("jobs") + len(fresh),
        pictures=F("pictures") + sum(job.pictures for job in fresh),
        counted_to_ms=max(job.ended_ms for job in fresh),
    )


def forget_old() -> None:
    """Drop what is older than the history of use."""
    PictureCount.objects.filter(hour_at__lt=timezone.now() - KEPT_FOR).delete()


def _counted_to(run_ids: Sequence[str]) -> Mapping[str, int]:
    rows = PictureCount.objects.filter(run_id__in=run_ids).order_by().values_list("run_id")
    return dict(rows.annotate(Max("counted_to_ms")))


def _ask_all(instances: Sequence[Instance], counted_to: Mapping[str, int]) -> dict[UUID, list[Job]]:
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="count")
    questions = {
        pool.submit(_ask, each.upstream, counted_to.get(each.run_id) or _ms((each.ready_at or timezone.now()) - SKEW)): each.pk
        for each in instances
    }
    answered, _late = wait(questions, timeout=BUDGET_SECONDS)
    pool.shutdown(wait=False, cancel_futures=True)
    return {questions[each]: each.result() for each in answered if each.exception() is None}


def _ask(address: str, after_ms: int) -> list[Job]:
    try:
        return ask_jobs(address, after_ms=after_ms, deadline=time.monotonic() + ANSWER_SECONDS)
    except NoAnswer as problem:
        log.info("%s does not say what it has made: %s", address, problem)
        return []


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
