"""How the engines of the demo's history were used of late, and what capacity there was: for insights and for operators."""

import random
from datetime import datetime, timedelta

from django.db.models import F

from billing.models import CapacityInterval
from engines.models import Instance, InstanceEvent, PictureCount, RunFact, UseSpan
from engines.reasons import Reason
from engines.release.counting import tells_pictures
from engines.release.spans import KEPT_FOR

RELEASED_AFTER = timedelta(minutes=15)
"""A run without use for so long at its end was released for it."""
SLOTS = {"h100-80g": 1, "a100-80g": 2, "l4-24g": 3}


def make_use(instance: Instance, *, since: datetime, now: datetime, chance: random.Random) -> None:
    """Let people work and pause in each run that use is kept of, and forget to end some.

    The instance was there from `since` to last midnight.
    """
    ended_at = now.replace(hour=0, minute=0, second=0, microsecond=0)
    Instance.objects.filter(pk=instance.pk).update(created_at=since, deleted_at=ended_at)
    facts = RunFact.objects.filter(instance=instance, at__gt=max(since, now - KEPT_FOR))
    ready = dict(facts.filter(kind=RunFact.Kind.READY).values_list("run_id", "at"))
    spans: list[UseSpan] = []
    releases: list[InstanceEvent] = []
    for run_id, until in facts.filter(kind=RunFact.Kind.ENDED).values_list("run_id", "at"):
        at = ready.get(run_id, until)
        while at < until:
            end = min(until, at + timedelta(minutes=chance.randrange(3, 50)))
            kind = chance.choice([UseSpan.Kind.USER, UseSpan.Kind.WORK])
            spans.append(UseSpan(instance=instance, run_id=run_id, kind=kind, began_at=at, ended_at=end))
            # Mostly a cup of coffee, now and then a meeting.
            at = end + timedelta(minutes=chance.choice([4, 8, 12, 25, 95]))
        if spans and spans[-1].run_id == run_id and until - spans[-1].ended_at >= RELEASED_AFTER:
            wish = {
                "kind": InstanceEvent.Kind.WISH,
                "reason": Reason.IDLE_RELEASED,
                "run_id": run_id,
                "generation": instance.generation,
            }
            releases.append(InstanceEvent(instance=instance, at=until, **wish))
    UseSpan.objects.bulk_create(spans)
    InstanceEvent.objects.bulk_create(releases)
    if tells_pictures(instance.engine_version):
        PictureCount.objects.bulk_create(
            PictureCount(
                instance=instance,
                run_id=run_id,
                hour_at=at.replace(minute=0, second=0, microsecond=0),
                jobs=jobs,
                pictures=4 * jobs,
            )
            for run_id, at in ready.items()
            for jobs in [chance.randrange(5, 40)]
        )


def make_capacity(instances: list[Instance], *, since: datetime, now: datetime) -> None:
    """Let there have been slots for them until now."""
    there = Instance.objects.filter(pk__in=[each.pk for each in instances]).order_by().values_list("cluster_id", "gpu_class_id")
    for cluster_id, gpu_class_id, slug in there.annotate(slug=F("gpu_class__slug")).distinct():
        CapacityInterval.objects.create(
            cluster_id=cluster_id, gpu_class_id=gpu_class_id, slots=SLOTS[slug], starts_at=since, ends_at=now
        )
