"""A team's own rule of release: one row, which tightens what operators have set."""

from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from engines.errors import Unavailable
from engines.models import IdleRule
from engines.models.idle import LONGEST_MINUTES
from engines.operations.locks import lock_tenant
from tenants import access
from tenants.access import Action
from tenants.audit.operations import record
from tenants.models import Membership

LIMITS = {
    "idle_minutes": _("Idle for, minutes"),
    "maximum_life_minutes": _("Maximum life, minutes"),
    "maximum_keep_minutes": _("Keep, at most, minutes"),
}
FLAGS = ("end_busy", "release_unknown")


@transaction.atomic
def tighten_release(*, by: Membership, wanted: IdleRule) -> IdleRule:
    """Store the team's limits; refuse one that is looser than the operators' general rule, naming both figures."""
    access.require(by, Action.OPERATE_ALL)
    lock_tenant(by.tenant_id)
    general = general_rule(by.tenant_id)
    for name in LIMITS:
        _require_tighter(name, getattr(wanted, name), getattr(general, name))
    values = {name: getattr(wanted, name) for name in (*LIMITS, *FLAGS)}
    # What the form does not offer is left to the operators: of the longest, `tightened` takes theirs.
    unlimited = dict.fromkeys(("warm_up_minutes", "minimum_run_minutes", "maximum_busy_minutes"), LONGEST_MINUTES)
    rest = {"name": str(by.tenant), "exempt": True, **unlimited}
    rule, _made = IdleRule.objects.update_or_create(
        tenant=by.tenant, author=IdleRule.Author.TENANT, engine=None, gpu_class=None, defaults=values | rest
    )
    record("release.limits_set", actor=by.user, tenant=by.tenant, details=values)
    return rule


@transaction.atomic
def remove_own_rule(*, by: Membership) -> None:
    """Back to the operators' rules alone."""
    access.require(by, Action.OPERATE_ALL)
    removed, _of_each = IdleRule.objects.filter(tenant_id=by.tenant_id, author=IdleRule.Author.TENANT).delete()
    if removed:
        record("release.limits_removed", actor=by.user, tenant=by.tenant)


def general_rule(tenant_id: int) -> IdleRule:
    """The operators' rule for everything that a team runs; their defaults where there is none."""
    rules = IdleRule.objects.filter(enabled=True, author=IdleRule.Author.OPERATOR, engine=None, gpu_class=None)
    return next((rule for rule in rules if rule.tenant_id in {None, tenant_id}), IdleRule())


def _require_tighter(name: str, wanted: int | None, limit: int | None) -> None:
    if limit is not None and (wanted is None or wanted > limit):
        raise Unavailable(
            gettext("%(label)s: operators allow %(limit)d at most. A team can only be stricter.")
            % {"label": LIMITS[name], "limit": limit}
        )
