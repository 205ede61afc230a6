"""What an observation proves about a run, written down for billing."""

from dataclasses import replace
from datetime import datetime, timedelta

from engines.clusters.base import Observation, Phase
from engines.models import Instance, RunFact

SEEN_EVERY = timedelta(minutes=5)
_ALIVE = {Phase.STARTING, Phase.READY, Phase.STOPPING, Phase.BROKEN}
_OVER = {Phase.EXITED, Phase.GONE}


def record_facts(instance: Instance, seen: Observation) -> None:
    """Write every fact that the observation contains; those already known change nothing."""
    facts = [
        _fact(instance, replace(seen, run_id=run.run_id), kind, at)
        for run in seen.ended_runs
        for kind, at in (
            (RunFact.Kind.STARTED, run.started_at),
            (RunFact.Kind.READY, run.ready_at),
            (RunFact.Kind.ENDED, run.ended_at),
        )
        if at is not None
    ]
    if seen.run_id:
        facts += _facts_of_current_run(instance, seen)
    RunFact.objects.bulk_create(facts, ignore_conflicts=True)
    if seen.run_id and seen.phase in _OVER and seen.ended_at is None:
        conclude_end(instance, seen.run_id, observed_at=seen.observed_at)


def _facts_of_current_run(instance: Instance, seen: Observation) -> list[RunFact]:
    return [
        _fact(instance, seen, kind, at)
        for kind, at in (
            (RunFact.Kind.STARTED, seen.started_at),
            (RunFact.Kind.LAUNCHED, seen.launched_at),
            (RunFact.Kind.READY, seen.ready_at),
            (RunFact.Kind.SEEN, _seen_at(seen) if seen.phase in _ALIVE else None),
            (RunFact.Kind.ENDED, seen.ended_at if seen.phase in _OVER else None),
        )
        if at is not None
    ]


def conclude_end(instance: Instance, run_id: str, *, observed_at: datetime) -> None:
    """Nobody saw the run end: it ended, in its payer's favour, when it was last proved alive."""
    known = RunFact.objects.filter(run_id=run_id)
    last = known.exclude(kind=RunFact.Kind.ENDED).order_by("-at").first()
    if last is None or known.filter(kind=RunFact.Kind.ENDED).exists():
        return
    fact = RunFact(
        instance=instance,
        run_id=run_id,
        kind=RunFact.Kind.ENDED,
        source=RunFact.Source.RECONCILE,
        at=last.at,
        observed_at=observed_at,
        tenant_id=last.tenant_id,
        owner_id=last.owner_id,
        gpu_class_id=last.gpu_class_id,
        engine_version_id=last.engine_version_id,
        quantity_milli=last.quantity_milli,
        tag=last.tag,
    )
    RunFact.objects.bulk_create([fact], ignore_conflicts=True)


def _fact(instance: Instance, seen: Observation, kind: RunFact.Kind, at: datetime) -> RunFact:
    return RunFact(
        instance=instance,
        run_id=seen.run_id,
        kind=kind,
        source=RunFact.Source.CLUSTER,
        at=at,
        observed_at=seen.observed_at,
        tenant_id=instance.tenant_id,
        owner_id=instance.owner_id,
        gpu_class_id=instance.gpu_class_id,
        engine_version_id=instance.engine_version_id,
        quantity_milli=instance.gpu_class.billed_milli,
        tag=instance.tag,
    )


def _seen_at(seen: Observation) -> datetime:
    """The last full five minutes of the run, so that repeated looks at it write one fact, not one each."""
    mark = seen.observed_at - timedelta(seconds=seen.observed_at.timestamp() % SEEN_EVERY.total_seconds())
    return max(mark, seen.started_at) if seen.started_at else mark
