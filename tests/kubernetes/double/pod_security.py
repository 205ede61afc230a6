"""Pod Security admission: the checks of `baseline` and `restricted` that a portal's Pods can fail, in the server's words.

https://kubernetes.io/docs/concepts/security/pod-security-standards/; checks are told in the order of their names.
"""

from collections.abc import Callable, Iterator

from tests.kubernetes.double.resources import Document

RESTRICTED_VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip
BASELINE_CAPABILITIES = {
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID",
    "SETPCAP",
    "SETUID", "SYS_CHROOT",
}  # fmt: skip


def violations(pod: Document, level: str) -> list[str]:
    """Tell each check that fails, in the order in which the server tells them."""
    checks = {"baseline": BASELINE, "restricted": RESTRICTED}.get(level, [])
    return [told for check in checks for told in check(pod["spec"])]


def containers(spec: Document) -> list[Document]:
    return [*spec.get("initContainers", []), *spec["containers"]]


def security(container: Document) -> Document:
    return container.get("securityContext") or {}


def pod_security(spec: Document) -> Document:
    return spec.get("securityContext") or {}


def named(names: list[str]) -> str:
    quoted = ", ".join(f'"{name}"' for name in names)
    return f"container {quoted}" if len(names) == 1 else f"containers {quoted}"


def failing(spec: Document, test: Callable[[Document], bool]) -> list[str]:
    return [container["name"] for container in containers(spec) if test(container)]


def privilege_escalation(spec: Document) -> Iterator[str]:
    if bad := failing(spec, lambda container: security(container).get("allowPrivilegeEscalation") is not False):
        yield f"allowPrivilegeEscalation != false ({named(bad)} must set securityContext.allowPrivilegeEscalation=false)"


def baseline_capabilities(spec: Document) -> Iterator[str]:
    def extra(container: Document) -> set[str]:
        return set((security(container).get("capabilities") or {}).get("add") or []) - BASELINE_CAPABILITIES

    if bad := failing(spec, lambda container: bool(extra(container))):
        added = ", ".join(f'"{each}"' for each in sorted(set().union(*map(extra, containers(spec)))))
        yield f"non-default capabilities ({named(bad)} must not include {added} in securityContext.capabilities.add)"


def restricted_capabilities(spec: Document) -> Iterator[str]:
    if bad := failing(spec, lambda container: "ALL" not in ((security(container).get("capabilities") or {}).get("drop") or [])):
        yield f'unrestricted capabilities ({named(bad)} must set securityContext.capabilities.drop=["ALL"])'


def host_namespaces(spec: Document) -> Iterator[str]:
    if bad := [f"{name}=true" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]:
        yield f"host namespaces ({', '.join(bad)})"


def host_paths(spec: Document) -> Iterator[str]:
    if bad := [volume["name"] for volume in spec.get("volumes", []) if "hostPath" in volume]:
        yield f"hostPath volumes (volume{'s' if len(bad) > 1 else ''} {', '.join(f'{chr(34)}{name}{chr(34)}' for name in bad)})"


def privileged(spec: Document) -> Iterator[str]:
    if bad := failing(spec, lambda container: bool(security(container).get("privileged"))):
        yield f"privileged ({named(bad)} must not set securityContext.privileged=true)"


def volume_types(spec: Document) -> Iterator[str]:
    for volume in spec.get("volumes", []):
        kind = next((name for name in volume if name != "name"), "emptyDir")
        if kind not in RESTRICTED_VOLUMES:
            yield f'restricted volume types (volume "{volume["name"]}" uses restricted volume type "{kind}")'


def root_user(spec: Document) -> Iterator[str]:
    whole = pod_security(spec).get("runAsNonRoot")
    if spec.get("hostUsers") is False:
        return
    if bad := failing(spec, lambda container: security(container).get("runAsNonRoot", whole) is not True):
        yield f"runAsNonRoot != true (pod or {named(bad)} must set securityContext.runAsNonRoot=true)"


def user_zero(spec: Document) -> Iterator[str]:
    if spec.get("hostUsers") is False:
        return
    bad = ["pod"] if pod_security(spec).get("runAsUser") == 0 else []
    zero = failing(spec, lambda container: security(container).get("runAsUser") == 0)
    bad += [named(zero)] if zero else []
    if bad:
        yield f"runAsUser=0 ({' and '.join(bad)} must not set runAsUser=0)"


def seccomp(spec: Document) -> Iterator[str]:
    whole = pod_security(spec).get("seccompProfile") or {}

    def open_to_all(container: Document) -> bool:
        return (security(container).get("seccompProfile") or whole).get("type") not in ("RuntimeDefault", "Localhost")

    if bad := failing(spec, open_to_all):
        wanted = 'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
        yield f"seccompProfile (pod or {named(bad)} must set {wanted})"


BASELINE = [baseline_capabilities, host_namespaces, host_paths, privileged]
RESTRICTED = [
    privilege_escalation, restricted_capabilities, host_namespaces, host_paths, privileged, volume_types, root_user, user_zero,
    seccomp,
]  # fmt: skip
