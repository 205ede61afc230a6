"""What people ask of idle release: keep it on for a while, or give it back as soon as its queue is empty."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from engines import live
from engines.activity.recorded import Recorded
from engines.auditing import record_instance
from engines.errors import Unavailable
from engines.idle.decision import next_due
from engines.models import Instance, InstanceEvent, Use
from engines.operations.locks import lock_instance
from engines.reasons import Reason
from engines.release.asking import is_mute
from engines.release.knowing import known_of, use_of
from engines.release.rules import policy_for
from engines.states import DesiredState, InstanceState
from tenants.models import Membership


@transaction.atomic
def keep_instance(*, instance: Instance, by: Membership, duration: timedelta) -> datetime:
    """Keep it on, used or not; give until when: never later than its rule allows, never sooner than was asked before."""
    instance = _lock_running(instance, by)
    use, now = use_of(instance), timezone.now()
    longest = policy_for(instance).maximum_keep
    if not longest:
        raise Unavailable(_("%(name)s cannot be kept on: the rule for it does not allow that.") % {"name": instance.name})
    until = max(now + min(duration, longest), use.keep_until or now)
    _ask(instance, by, Reason.KEPT, evidence=f"→ {until:%F %R %Z}", keep_until=until, when_free=False)
    record_instance("instance.kept", instance, by, until=until.isoformat(timespec="seconds"))
    return until


@transaction.atomic
def release_when_free(*, instance: Instance, by: Membership, wanted: bool) -> None:
    """Ask to give the GPU back as soon as the engine has nothing to do, or take that back."""
    instance = _lock_running(instance, by)
    if wanted and is_mute(instance):
        raise Unavailable(
            _("%(name)s cannot be asked whether its queue is empty. Pause it when it is done.") % {"name": instance.name}
        )
    if use_of(instance).when_free != wanted:
        _ask(instance, by, Reason.WHEN_FREE if wanted else Reason.NOT_WHEN_FREE, when_free=wanted)
        record_instance("instance.when_free" if wanted else "instance.not_when_free", instance, by)


def _lock_running(instance: Instance, by: Membership) -> Instance:
    instance = lock_instance(instance, by)
    if instance.state != InstanceState.RUNNING or instance.desired_state != DesiredState.RUNNING:
        raise Unavailable(_("%(name)s does not run.") % {"name": instance.name})
    return instance


def _ask(instance: Instance, by: Membership, reason: Reason, *, evidence: str = "", **changes: object) -> None:
    """Write what is asked; a release that has begun is off."""
    Use.objects.filter(instance=instance).update(releasing_since=None, free_looks=0, **changes)
    instance.log(InstanceEvent.Kind.NOTE, reason, by=by.user, evidence=evidence)
    _foretell(instance)
    live.announce_on_commit(instance)


def _foretell(instance: Instance) -> None:
    """Say at once what the next look will say, up to a minute later: whoever asked looks at the page now."""
    if instance.ready_at is None:
        return  # no look would see it either
    use, now = use_of(instance), timezone.now()
    due = next_due(known_of(instance, use, Recorded(), now), policy_for(instance), now, mute=is_mute(instance))
    if not due.release:
        Use.objects.filter(pk=use.pk).update(why=due.why, due_at=due.due_at)
