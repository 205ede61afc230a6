"""What the pages about release show."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from engines.idle.policy import Policy
from engines.queries.idle import schedules_of
from engines.queries.instances import InstanceRow
from engines.release.rules import policy_for
from engines.release_forms import KeepForm, ScheduleForm
from tenants import access
from tenants.access import Action
from tenants.models import Membership


def release_context(membership: Membership, row: InstanceRow) -> dict[str, object]:
    """Return what templates/engines/tabs/release.html shows."""
    policy = policy_for(row.instance)
    return {
        "policy_sentence": policy_sentence(policy),
        "schedules": schedules_of(row.instance),
        "may_manage_all": access.may(membership, Action.OPERATE_ALL),
        "keep_form": KeepForm(longest=policy.maximum_keep),
        "schedule_form": ScheduleForm(initial={"time_zone": membership.user.time_zone}),
    }


def policy_sentence(policy: Policy) -> str:
    """Say the rule in words."""
    sentences = []
    if policy.exempt:
        sentences.append(_("A rule exempts it from being released when idle."))
    else:
        minutes = int(policy.idle.total_seconds() // 60)
        idle = ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes}
        sentences.append(_("It is released when nobody has used it for %(time)s and it does not work.") % {"time": idle})
    if policy.maximum_life is not None:
        hours = policy.maximum_life.total_seconds() / 3600
        sentences.append(_("It runs for %(hours)s hours at a time at most.") % {"hours": f"{hours:g}"})
    if policy.hours is not None:
        sentences.append(
            _("Between %(begin)s and %(until)s on working days (%(zone)s) idleness releases nothing.")
            % {"begin": f"{policy.hours.begin:%H:%M}", "until": f"{policy.hours.until:%H:%M}", "zone": policy.hours.zone}
        )
    if policy.name:
        sentences.append(_("Rule: %(name)s.") % {"name": policy.name})
    return " ".join(sentences)
