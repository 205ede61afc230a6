"""Who may do what: tokens, rules given to the double, and the roles and bindings that are stored in it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.kubernetes.double.errors import ApiError
from tests.kubernetes.double.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES, Document
from tests.kubernetes.double.store import Store

Rule = Mapping[str, Any]
ADMIN = "admin"
# The role system:basic-user, which every cluster gives to all that are signed in.
BASIC = {"apiGroups": ["authorization.k8s.io"], "resources": ["selfsubjectaccessreviews"], "verbs": ["create"]}


@dataclass(frozen=True)
class Attributes:
    """One call, as authorization sees it."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    namespace: str = ""

    @property
    def full_resource(self) -> str:
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


class Authorizer:
    """Decides by rules, unless there are none: then everybody may do everything."""

    def __init__(self, store: Store, rules: Sequence[Rule] | None, *, enforced: bool) -> None:
        self.store, self.rules, self.enforced = store, list(rules or ()), enforced

    def allows(self, user: str, wanted: Attributes) -> bool:
        if user == ADMIN or not self.enforced:
            return True
        return any(rule_allows(rule, wanted) for rule in self.rules_for(user, wanted.namespace))

    def rules_for(self, user: str, namespace: str) -> Iterator[Rule]:
        yield BASIC
        yield from self.rules
        for binding in self.store.all(CLUSTER_ROLE_BINDINGS):
            yield from self.bound(binding, user, "")
        if namespace:
            for binding in self.store.all(ROLE_BINDINGS, namespace):
                yield from self.bound(binding, user, namespace)

    def bound(self, binding: Document, user: str, namespace: str) -> Sequence[Rule]:
        if user not in [subject_name(each) for each in binding.get("subjects") or []]:
            return ()
        reference = binding["roleRef"]
        kind, where = (CLUSTER_ROLES, "") if reference["kind"] == "ClusterRole" else (ROLES, namespace)
        return (self.store.get(kind, where, reference["name"]) or {}).get("rules") or ()

    def check(self, user: str, wanted: Attributes) -> None:
        """403 in the server's words."""
        if self.allows(user, wanted):
            return
        about = f'{wanted.resource}.{wanted.group} "{wanted.name}"' if wanted.group else f'{wanted.resource} "{wanted.name}"'
        if not wanted.name:
            about = f"{wanted.resource}.{wanted.group}" if wanted.group else wanted.resource
        scope = f'in the namespace "{wanted.namespace}"' if wanted.namespace else "at the cluster scope"
        why = f'User "{user}" cannot {wanted.verb} resource "{wanted.full_resource}" in API group "{wanted.group}" {scope}'
        more = ({"name": wanted.name} if wanted.name else {}) | ({"group": wanted.group} if wanted.group else {})
        raise ApiError(403, "Forbidden", f"{about} is forbidden: {why}", **more, kind=wanted.resource)


def subject_name(subject: Mapping[str, Any]) -> str:
    if subject["kind"] == "ServiceAccount":
        return f"system:serviceaccount:{subject.get('namespace', '')}:{subject['name']}"
    return str(subject["name"])


def rule_allows(rule: Rule, wanted: Attributes) -> bool:
    """Apply one PolicyRule; a rule with resourceNames never allows a list, as it has no name."""
    names = rule.get("resourceNames") or []
    return (
        covers(rule.get("verbs"), wanted.verb)
        and covers(rule.get("apiGroups"), wanted.group)
        and covers(rule.get("resources"), wanted.full_resource)
        and (not names or wanted.name in names)
    )


def covers(listed: Sequence[str] | None, value: str) -> bool:
    return bool(listed) and ("*" in listed or value in listed)
