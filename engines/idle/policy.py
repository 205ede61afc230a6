"""What an idle rule says, as a value, and how a tenant's own rule tightens an operator's. Pure."""

from dataclasses import dataclass, replace
from datetime import timedelta

from engines.idle.hours import Hours


@dataclass(frozen=True)
class Policy:
    """When a GPU is given back. Without any rule these defaults hold."""

    exempt: bool = False
    """Idleness releases nothing; the limits below still hold."""
    idle: timedelta = timedelta(minutes=20)
    warm_up: timedelta = timedelta(minutes=10)
    """After the engine is ready: counted as use, for whoever waited for it."""
    minimum_run: timedelta = timedelta(0)
    maximum_life: timedelta | None = None
    maximum_busy: timedelta | None = timedelta(hours=24)
    """From then on people are warned that the engine has said "busy" without a break for so long."""
    end_busy: bool = False
    """Do not only warn then, but release."""
    maximum_unknown: timedelta = timedelta(minutes=30)
    """How long an engine may fail to say whether it works before people are warned."""
    release_unknown: bool = False
    """Do not only warn then, but release."""
    maximum_keep: timedelta = timedelta(hours=4)
    """How far ahead a person may keep an instance at most."""
    hours: Hours | None = None
    """Working hours, in which idleness releases nothing."""
    name: str = ""
    """The rules' names, for the evidence."""


def tightened(policy: Policy, stricter: Policy) -> Policy:
    """Return the stricter of both in every respect: a tenant's rule never makes an operator's looser."""
    return replace(
        policy,
        exempt=policy.exempt and stricter.exempt,
        idle=min(policy.idle, stricter.idle),
        warm_up=min(policy.warm_up, stricter.warm_up),
        minimum_run=min(policy.minimum_run, stricter.minimum_run),
        maximum_life=_least(policy.maximum_life, stricter.maximum_life),
        maximum_busy=_least(policy.maximum_busy, stricter.maximum_busy),
        end_busy=policy.end_busy or stricter.end_busy,
        maximum_unknown=min(policy.maximum_unknown, stricter.maximum_unknown),
        release_unknown=policy.release_unknown or stricter.release_unknown,
        maximum_keep=min(policy.maximum_keep, stricter.maximum_keep),
        # Hours of both kinds hold an instance: only the operator's count, for a tenant's could add some.
        hours=policy.hours,
        name=" + ".join(name for name in (policy.name, stricter.name) if name),
    )


def _least(one: timedelta | None, other: timedelta | None) -> timedelta | None:
    present = [each for each in (one, other) if each is not None]
    return min(present) if present else None
