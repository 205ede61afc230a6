"""Cluster → state: what an observation means for an instance."""

import logging
from collections.abc import Callable
from functools import lru_cache

from django.db import transaction
from django.utils import timezone

from engines import hints, live
from engines.clusters.base import Observation, Phase
from engines.clusters.names import instance_slug
from engines.errors import StaleState
from engines.facts import conclude_end, record_facts
from engines.models import Cluster, Instance, InstanceEvent
from engines.reasons import Reason, is_failure
from engines.states import HOLDS_GPU, DesiredState, InstanceState
from engines.telling import tell_failed

log = logging.getLogger(__name__)
S = InstanceState


def observe(cluster: Cluster, seen: Observation) -> None:
    """Write down what was seen of one workload: facts, and the transition that follows, in one transaction.

    May be repeated and may come late: an observation older than what is known changes nothing.
    """
    while True:
        instance = _row(cluster, seen)
        if instance is None:
            _report_stray(cluster.slug, seen.name, seen.namespace)
            return
        try:
            with transaction.atomic():
                record_facts(instance, seen)
                _note_replacement(instance, seen)
                _FOLLOW[seen.phase](instance, seen)
        except StaleState:
            continue  # somebody moved it between the read and the write: read again
        return


def move(instance: Instance, state: InstanceState, *, reason: Reason, evidence: str = "", **seen: object) -> InstanceEvent:
    """Make a transition and, once it is durable, tell whoever looks and whoever waits for the slot."""
    held = instance.state in HOLDS_GPU
    with transaction.atomic():
        event = instance.move_to(state, reason=reason, evidence=_storable(evidence), **seen)
        live.announce_on_commit(instance)
        freed = held and state not in HOLDS_GPU
        if freed:
            transaction.on_commit(lambda: wake_next(instance))
        if freed or state == S.RUNNING:
            hints.settle_on_commit(instance.pk)
    return event


def wake_next(instance: Instance) -> None:
    """Ask for whoever has waited longest for a slot of this one's class: one became free, or more than one was."""
    waiting = Instance.objects.in_line().placed(**instance.placement)
    first = waiting.order_by("queued_at", "pk").values_list("pk", flat=True).first()
    if first is not None:
        hints.reconcile_soon(first)


def _row(cluster: Cluster, seen: Observation) -> Instance | None:
    """Whose workload it is. One of its name elsewhere is not: others may make objects in namespaces of their own."""
    rows = Instance.objects.select_related("engine_version", "gpu_class", "cluster", "tenant")
    where = {"volume__namespace": seen.namespace} if seen.namespace else {}
    return rows.filter(slug=instance_slug(seen.name), cluster=cluster, **where).first()


@lru_cache(maxsize=10_000)
def _report_stray(cluster: str, workload: str, namespace: str) -> None:
    """Say it once: a cluster may be another portal's too, whose every change is heard of."""
    where = f" in {namespace}" if namespace else ""
    log.warning("cluster %s runs %s%s, which no instance asked for", cluster, workload, where)


def _pending(instance: Instance, seen: Observation) -> None:
    """Say what the cluster waits for; the phase's own deadline decides when that is too long."""
    if instance.state == S.RUNNING and _is_current(instance, seen) and seen.observed_at > instance.state_since:
        _start_again(instance, seen)  # the cluster lost the run and makes another
    elif instance.state in {S.PROVISIONING, S.STARTING} and seen.reason:
        explain(instance, seen.reason, seen.evidence)
    elif instance.state == S.DELETED:
        _alive(instance, seen)  # it would take the next GPU that is free


def _start_again(instance: Instance, seen: Observation) -> None:
    # A watch that lags behind a look may not know of the run yet: only another run proves that it is over.
    if instance.run_id and seen.run_id not in {"", instance.run_id}:
        conclude_end(instance, instance.run_id, observed_at=seen.observed_at)
    move(
        instance,
        S.STARTING,
        reason=seen.reason or Reason.ENGINE_STARTING,
        evidence=seen.evidence,
        run_id=seen.run_id,
        upstream=seen.upstream,
        ready_at=None,
    )


def _is_current(instance: Instance, seen: Observation) -> bool:
    """Whether this is the workload of the wish last admitted, and not an older one seen late."""
    return seen.epoch >= instance.applied_generation


def _starting(instance: Instance, seen: Observation) -> None:
    if not _is_current(instance, seen):
        _alive(instance, seen)
    elif instance.state == S.PROVISIONING or (instance.state == S.RUNNING and _has_begun_again(instance, seen)):
        _start_again(instance, seen)
    elif instance.state == S.STARTING and seen.reason:
        explain(instance, seen.reason, seen.evidence)
    else:
        _alive(instance, seen)


def _has_begun_again(instance: Instance, seen: Observation) -> bool:
    """Another run, or the same one whose engine ended and was started again: then the cluster says why."""
    return seen.run_id != instance.run_id or (seen.reason is not None and seen.observed_at > instance.state_since)


def _ready(instance: Instance, seen: Observation) -> None:
    if instance.state == S.RUNNING:
        _starting(instance, seen)  # a new run whose start nobody saw: its address counts from here on
    if instance.state in {S.PROVISIONING, S.STARTING} and _is_current(instance, seen):
        move(
            instance,
            S.RUNNING,
            reason=Reason.READY,
            run_id=seen.run_id,
            upstream=seen.upstream,
            ready_at=seen.ready_at or seen.observed_at,
        )
    else:
        _alive(instance, seen)


def _stopping(instance: Instance, seen: Observation) -> None:
    """Note why the cluster takes away what is wished for: the next run would not say why it began."""
    if seen.reason and _is_wished(instance) and _is_current(instance, seen) and seen.observed_at > instance.state_since:
        note(instance, seen.reason, seen.evidence)
    _alive(instance, seen)


def _note_replacement(instance: Instance, seen: Observation) -> None:
    """Note why the present run ended where the cluster has begun another before anybody saw it end."""
    for run in seen.ended_runs:
        if run.reason and run.run_id == instance.run_id and _is_wished(instance):
            note(instance, run.reason, run.evidence)


def _is_wished(instance: Instance) -> bool:
    """Whether it runs, or is about to, and nobody wants the present run to end."""
    is_up = instance.state in {S.STARTING, S.RUNNING}
    return is_up and instance.desired_state == DesiredState.RUNNING and not instance.restart_due


def _broken(instance: Instance, seen: Observation) -> None:
    """Take away what cannot come up, so that its GPU is free; once it is gone, the wish has failed for the same reason."""
    if instance.state in {S.PROVISIONING, S.STARTING, S.RUNNING} and _is_current(instance, seen):
        reason = seen.reason or Reason.ENGINE_EXITED
        move(instance, S.STOPPING, reason=reason, evidence=seen.evidence, run_id=seen.run_id or instance.run_id)
        hints.reconcile_on_commit(instance.pk)
    else:
        _alive(instance, seen)


def _alive(instance: Instance, seen: Observation) -> None:
    """A workload that runs although the instance rests is stopped; looks from before it came to rest do not count."""
    if seen.observed_at <= instance.state_since:
        return
    if instance.state in {S.STOPPED, S.FAILED}:
        move(instance, S.STOPPING, reason=Reason.STRAY_WORKLOAD, run_id=seen.run_id)
        hints.reconcile_on_commit(instance.pk)
    elif instance.state == S.DELETED:
        _note_stray(instance, seen, is_left=True)


def _note_stray(instance: Instance, seen: Observation, *, is_left: bool) -> None:
    """Write down whether something is left of a deleted instance: the sweep asks for its removal until it is seen gone."""
    row = Instance.objects.filter(pk=instance.pk)
    if is_left:
        row.filter(stray_since=None).update(stray_since=timezone.now())
        hints.remove_stray_on_commit(instance.pk)
    else:
        row.filter(stray_since__lt=seen.observed_at).update(stray_since=None)


def _exited(instance: Instance, seen: Observation) -> None:
    if not _is_current(instance, seen):
        return
    if instance.state == S.STOPPING:
        _stopped(instance)
    elif instance.state == S.DELETING:
        hints.reconcile_on_commit(instance.pk)
    elif instance.state in HOLDS_GPU:
        _ended_unasked(instance, seen.reason or Reason.ENGINE_EXITED, seen.evidence)


def _gone(instance: Instance, seen: Observation) -> None:
    if seen.observed_at < instance.state_since or _is_from_before(instance, seen):
        return
    if instance.run_id:
        conclude_end(instance, instance.run_id, observed_at=seen.observed_at)
    if instance.state == S.STOPPING:
        _stopped(instance)
    elif instance.state == S.DELETING and seen.remains:
        hints.reconcile_on_commit(instance.pk)  # whoever deleted it did not come to the end
    elif instance.state == S.DELETING:
        move(instance, S.DELETED, reason=Reason.GONE, deleted_at=timezone.now(), upstream="")
    elif instance.state == S.DELETED:
        _note_stray(instance, seen, is_left=seen.remains)
    elif instance.state in {S.STARTING, S.RUNNING}:
        _ended_unasked(instance, Reason.WORKLOAD_VANISHED, seen.evidence)


def _is_from_before(instance: Instance, seen: Observation) -> bool:
    """Whether what comes up is said to be at rest as its last wish left it: a watch that has just begun may lag behind a look."""
    return seen.remains and not _is_current(instance, seen) and instance.state in {S.STARTING, S.RUNNING}


def _stopped(instance: Instance) -> None:
    """The workload is gone as asked, or as a failure demanded."""
    failure = Reason(instance.reason) if is_failure(instance.reason) else None
    if failure is None and not instance.retry_due:  # a stray of a wish that had failed already: nobody has wished again
        failure = Reason.WORKLOAD_VANISHED
    if failure and instance.desired_state == DesiredState.RUNNING:
        fail(instance, failure, instance.evidence)
    else:
        moves_on = instance.reason == Reason.BURST and instance.desired_state == DesiredState.RUNNING
        kept = moves_on or instance.reason in {Reason.PAUSED, Reason.CANCELLED}
        reason = Reason(instance.reason) if kept else Reason.GONE
        move(instance, S.STOPPED, reason=reason, upstream="", ready_at=None)
        hints.reconcile_on_commit(instance.pk)


def _ended_unasked(instance: Instance, reason: Reason, evidence: str) -> None:
    if instance.desired_state == DesiredState.RUNNING:
        fail(instance, reason, evidence)
    # Whoever wished it away before it ended gets what they asked for; a wish for a fresh run goes on.
    if instance.desired_state != DesiredState.RUNNING or instance.restart_due:
        hints.reconcile_on_commit(instance.pk)


@transaction.atomic
def fail(instance: Instance, reason: Reason, evidence: str) -> None:
    """Settle the wish as failed: nothing runs, the slot is free, and nothing is tried until somebody wishes again.

    Its owner is told, unless a newer wish goes on by itself.
    """
    move(
        instance,
        S.FAILED,
        reason=reason,
        evidence=evidence,
        settled_generation=instance.failed_generation,
        upstream="",
        ready_at=None,
    )
    tell_failed(instance, reason)


def explain(instance: Instance, reason: Reason, evidence: str = "") -> None:
    """Say why an instance is still in its state; no transition."""
    evidence = _storable(evidence)
    unmoved = Instance.objects.filter(pk=instance.pk, state=instance.state, generation=instance.generation)
    if unmoved.exclude(reason=reason, evidence=evidence).update(reason=reason, evidence=evidence):
        live.announce_on_commit(instance)


def note(instance: Instance, reason: Reason, evidence: str) -> None:
    """Put trouble on the way into the timeline, once as long as nothing else happens; the state stays what it is."""
    last = instance.events.order_by("-pk").first()
    if last is not None and (last.kind, last.reason) == (InstanceEvent.Kind.NOTE, reason):
        return
    with transaction.atomic():
        instance.log(InstanceEvent.Kind.NOTE, reason, evidence=_storable(evidence))
        live.announce_on_commit(instance)


def _storable(evidence: str) -> str:
    """Replace what PostgreSQL takes for no text: an engine decides what its last words are, and its end has to be recorded."""
    return evidence.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


_FOLLOW: dict[Phase, Callable[[Instance, Observation], None]] = {
    Phase.PENDING: _pending,
    Phase.STARTING: _starting,
    Phase.READY: _ready,
    Phase.STOPPING: _stopping,
    Phase.BROKEN: _broken,
    Phase.EXITED: _exited,
    Phase.GONE: _gone,
}
