"""Schedules: made by people, fired by the timetable as often as it likes."""

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from engines.idle.calendar import last_due
from engines.models import Instance, InstanceEvent, Schedule, Use
from engines.operations.instances import resume_instance
from engines.operations.locks import lock_instance
from engines.reasons import Reason
from engines.release.knowing import use_of
from engines.states import DesiredState, InstanceState
from engines.wishes import wish
from tenants import access
from tenants.access import Action
from tenants.audit.operations import NOTHING, Subject, record
from tenants.errors import NotVisible, PortalError
from tenants.models import Membership, open_for_work

log = logging.getLogger(__name__)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LATE = timedelta(hours=1)
"""What could not be done within the hour, because the portal was down, is not wanted any more."""


@transaction.atomic
def add_schedule(*, by: Membership, instance: Instance | None, schedule: Schedule) -> Schedule:
    """Store a schedule whose action, days, time and zone are set: of one instance, or a stop of all that the tenant runs."""
    if instance is None:
        access.require(by, Action.OPERATE_ALL)
    else:
        lock_instance(instance, by)
    schedule.tenant, schedule.instance, schedule.made_by = by.tenant, instance, by.user
    schedule.done_until = timezone.now()
    schedule.full_clean(validate_unique=False)
    schedule.save(force_insert=True)
    _audit("release.schedule_added", by, schedule)
    return schedule


@transaction.atomic
def remove_schedule(*, by: Membership, schedule: Schedule) -> None:
    """Take it back; what it has begun goes on."""
    if schedule.tenant_id != by.tenant_id:
        raise NotVisible(_("There is nothing here, or it is not yours."))
    # In this order, as `_fire` does: the schedule, then its instance.
    if Schedule.objects.select_for_update(of=("self",)).filter(pk=schedule.pk).first() is None:
        return
    if schedule.instance is None:
        access.require(by, Action.OPERATE_ALL)
    else:
        lock_instance(schedule.instance, by)
    _audit("release.schedule_removed", by, schedule)
    schedule.delete()


def _audit(kind: str, by: Membership, schedule: Schedule) -> None:
    when = {"at": f"{schedule.at:%H:%M} {schedule.time_zone}", "days": [_DAYS[day] for day in sorted(schedule.weekdays)]}
    instance = schedule.instance
    subject = NOTHING if instance is None else Subject("instance", instance.slug, instance.name)
    record(kind, actor=by.user, tenant=by.tenant, subject=subject, details={"action": schedule.action, **when})


def fire_due() -> None:
    """Act on every schedule that has become due since it was last looked at."""
    for schedule in Schedule.objects.filter(open_for_work("tenant__"), enabled=True).select_related("instance", "made_by"):
        try:
            _fire(schedule, timezone.now())
        except Exception:  # one schedule's trouble must not cost the others their turn
            log.exception("schedule %s could not be acted on", schedule.pk)


@transaction.atomic
def _fire(schedule: Schedule, now: datetime) -> None:
    """Act once on the latest moment that is due: twice at once or after a crash, the row's lock and date keep it at that."""
    due = last_due(
        days=schedule.weekdays, at=schedule.at, zone=schedule.time_zone, after=max(schedule.done_until, now - LATE), until=now
    )
    if due is None:
        return
    unfired = Schedule.objects.select_for_update(no_key=True, of=("self",)).filter(pk=schedule.pk, done_until=schedule.done_until)
    if unfired.first() is None:
        return
    Schedule.objects.filter(pk=schedule.pk).update(done_until=due)
    act = _start if schedule.action == Schedule.Action.START else _stop
    act(schedule, due)


def _stop(schedule: Schedule, due: datetime) -> None:
    """Let the minute's look release what runs, as soon as it is free and nobody keeps it; what has yet to run is called off."""
    wished = Instance.objects.counted().filter(tenant_id=schedule.tenant_id)
    if schedule.instance_id is not None:
        wished = wished.filter(pk=schedule.instance_id)
    for instance in wished.select_for_update(no_key=True).order_by("pk"):
        if instance.state == InstanceState.RUNNING and not instance.restart_due:
            Use.objects.filter(pk=use_of(instance).pk).update(stop_due_at=due)
        else:  # it works for nobody yet, so there is nothing to wait for
            wish(instance, Reason.SCHEDULE_STOPPED, by=None, desired_state=DesiredState.STOPPED)


def _start(schedule: Schedule, due: datetime) -> None:
    """Resume it as whoever made the schedule would; what refuses them is told in the timeline."""
    instance = schedule.instance
    assert instance is not None  # noqa: S101 - a constraint; for the type checker
    try:
        by = access.membership_in(schedule.made_by, instance.tenant.slug)
        if instance.desired_state == DesiredState.STOPPED:
            with transaction.atomic():
                resume_instance(instance=instance, by=by)
            reason, evidence = Reason.SCHEDULE_STARTED, f"{due:%F %T %Z}"
        else:
            return
    except PortalError as refusal:
        reason, evidence = Reason.SCHEDULE_FAILED, str(refusal)
    instance.log(InstanceEvent.Kind.NOTE, reason, evidence=evidence)
