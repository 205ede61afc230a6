"""What the pages about release show."""

from engines.queries.idle import policy_sentence, schedules_of
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
