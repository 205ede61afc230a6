"""Which security settings an overlay may name: those that are no weaker than Pod Security `restricted`. Pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

_PROFILES = ({"type"}, {"type", "localhostProfile"})


def _profile(value: Any) -> bool:
    """Seccomp and AppArmor: the runtime's profile, or one that the operator laid on the nodes."""
    return isinstance(value, Mapping) and set(value) in _PROFILES and value["type"] in {"RuntimeDefault", "Localhost"}


def _capabilities(value: Any) -> bool:
    if not isinstance(value, Mapping) or not set(value) <= {"add", "drop"}:
        return False
    dropped = "drop" not in value or "ALL" in (value["drop"] or ())
    return dropped and set(value.get("add") or ()) <= {"NET_BIND_SERVICE"}


def _somebody(value: Any) -> bool:
    return isinstance(value, int) and value > 0


def _anything(value: Any) -> bool:
    return value is not None


def _just(expected: Any) -> Callable[[Any], bool]:
    return lambda value: bool(value == expected)


_HARMLESS: Mapping[str, Callable[[Any], bool]] = {
    "allowPrivilegeEscalation": _just(False),
    "appArmorProfile": _profile,
    "capabilities": _capabilities,
    "fsGroup": _somebody,
    "fsGroupChangePolicy": _anything,
    "privileged": _just(False),
    "procMount": _just("Default"),
    "readOnlyRootFilesystem": _anything,
    "runAsGroup": _somebody,
    "runAsNonRoot": _just(True),
    "runAsUser": _somebody,
    "seccompProfile": _profile,
    "supplementalGroups": _anything,
    "supplementalGroupsPolicy": _just("Strict"),
}


def security_problems(context: Mapping[str, Any], path: str) -> Iterator[str]:
    """Yield the settings of a security context that would weaken it, or that nobody has thought about."""
    for key, value in context.items():
        if key not in _HARMLESS or not _HARMLESS[key](value):
            yield f"{path}.{key} would weaken what the engine is confined by"


def handler_problems(probe_or_lifecycle: Mapping[str, Any], path: str) -> Iterator[str]:
    """Yield handlers that name a host: the kubelet would call it from the node's own network."""
    for key, value in probe_or_lifecycle.items():
        if key == "host":
            yield f"{path}.host would make the node call another host"
        elif isinstance(value, Mapping):
            yield from handler_problems(value, f"{path}.{key}")
