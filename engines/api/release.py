"""When a team's engines are released for not being used: what operators say, and what the team has made stricter."""

from typing import Annotated

from ninja import Path, Router, Status
from pydantic import Field

from aigc_portal.api.callers import ApiRequest, member, needs
from aigc_portal.api.schemas import Input, Output
from engines.models import IdleRule
from engines.models.idle import LONGEST_MINUTES
from engines.operations import idle_rules as operations
from engines.queries.idle import own_limits, own_rule, policy_sentence
from tenants import access
from tenants.access import Action
from tenants.access_tokens.scopes import Scope
from tenants.models import Membership

router = Router(tags=["Release"])
READ, WRITE = needs(Scope.INSTANCES_READ), needs(Scope.INSTANCES_WRITE)
Minutes = Annotated[int, Field(ge=1, le=LONGEST_MINUTES)]


class LimitsIn(Input):
    """What the team allows at most; never more than operators do."""

    idle_minutes: Minutes = Field(description="How long an engine may be on without being used.")
    maximum_life_minutes: Minutes | None = Field(description="How long it may be on at a time; null: no limit.")
    maximum_keep_minutes: int = Field(ge=0, le=LONGEST_MINUTES, description="How long people may keep one that nobody uses.")
    end_busy: bool = Field(default=False, description="Release engines that are busy for too long.")
    release_unknown: bool = Field(default=False, description="Release engines that do not say whether they are busy.")


class LimitsOut(Output):
    """What is allowed at most."""

    idle_minutes: int
    maximum_life_minutes: int | None
    maximum_keep_minutes: int
    end_busy: bool
    release_unknown: bool
    sentence: str = Field(description="The rule in words.")


class ReleaseOut(Output):
    """What holds for everything that the team runs; operators may have other rules for some engines or GPU classes."""

    operators: LimitsOut
    own: LimitsOut | None = Field(description="What the team has made stricter; null: nothing.")


@router.get("/release", auth=READ, response=ReleaseOut, summary="Read the rule of release")
def get_release(request: ApiRequest, tenant: Path[str]) -> ReleaseOut:
    """Return the operators' rule, and the team's own."""
    membership = member(request, tenant)
    access.require(membership, Action.SEE)
    return _shown(membership)


@router.put("/release", auth=WRITE, response=ReleaseOut, summary="Set the team’s rule of release")
def set_release(request: ApiRequest, tenant: Path[str], wanted: LimitsIn) -> ReleaseOut:
    """Be stricter than operators are, for everything that the team runs."""
    membership = member(request, tenant)
    operations.tighten_release(by=membership, wanted=IdleRule(**wanted.model_dump()))
    return _shown(membership)


@router.delete("/release", auth=WRITE, response={204: None}, summary="Remove the team’s rule of release")
def remove_release(request: ApiRequest, tenant: Path[str]) -> Status[None]:
    """Leave it to the operators' rules alone."""
    operations.remove_own_rule(by=member(request, tenant))
    return Status(204, None)


def _shown(membership: Membership) -> ReleaseOut:
    general, own = operations.general_rule(membership.tenant_id), own_rule(membership.tenant_id)
    return ReleaseOut(
        operators=_limits(general, policy_sentence(general.policy)),
        own=_limits(own, policy_sentence(own_limits(own))) if own else None,
    )


def _limits(rule: IdleRule, sentence: str) -> LimitsOut:
    return LimitsOut(
        idle_minutes=rule.idle_minutes,
        maximum_life_minutes=rule.maximum_life_minutes,
        maximum_keep_minutes=rule.maximum_keep_minutes,
        end_busy=rule.end_busy,
        release_unknown=rule.release_unknown,
        sentence=sentence,
    )
