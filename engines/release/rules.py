"""Which policy holds for an instance: the first operator's rule that fits, tightened by the tenant's first that fits."""

from collections.abc import Iterable, Sequence

from engines.idle.policy import Policy, tightened
from engines.models import IdleRule, Instance


def all_rules() -> Sequence[IdleRule]:
    """Every rule that is on, in order; one query."""
    return list(IdleRule.objects.filter(enabled=True))


def policy_for(instance: Instance, rules: Iterable[IdleRule] | None = None) -> Policy:
    """Return what holds for the instance; reads its engine version."""
    engine_id = instance.engine_version.engine_id
    return policy_of(tenant_id=instance.tenant_id, engine_id=engine_id, gpu_class_id=instance.gpu_class_id, rules=rules)


def policy_of(*, tenant_id: int, engine_id: int, gpu_class_id: int, rules: Iterable[IdleRule] | None = None) -> Policy:
    """Return what holds for an instance of these. Without a rule the defaults of `Policy` hold."""
    about = {"tenant_id": tenant_id, "engine_id": engine_id, "gpu_class_id": gpu_class_id}
    fitting = [rule for rule in (all_rules() if rules is None else rules) if rule.fits(**about)]
    first = {rule.author: rule for rule in reversed(fitting)}
    operators, tenants = first.get(IdleRule.Author.OPERATOR), first.get(IdleRule.Author.TENANT)
    policy = operators.policy if operators else Policy()
    return tightened(policy, tenants.policy) if tenants else policy
