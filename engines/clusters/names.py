"""Legal, stable, collision-free names. Computed once, stored, never recomputed from settings. Pure."""

import re
import secrets

# No vowels and no look-alikes: a slug is read aloud and spells nothing.
ALPHABET = "bcdfghjkmnpqrstvwxz23456789"
SLUG_LENGTH = 10
_ORDINAL = "-0"  # which Kubernetes gives the first Pod of a StatefulSet
SLUG_PATTERN = re.compile(rf"[{ALPHABET}]{{{SLUG_LENGTH}}}")


def new_slug() -> str:
    """Return a random DNS-safe public name: 27^10 ≈ 2·10^14 of them; a database constraint refuses the collision."""
    return "".join(secrets.choice(ALPHABET) for _ in range(SLUG_LENGTH))


def workload_name(instance_slug: str) -> str:
    """Name the workload of an instance, e.g. `i-7f3k2qxbcd`."""
    return f"i-{instance_slug}"


def instance_slug(workload: str) -> str | None:
    """Return the slug in a workload's name, or None for a name that is not ours."""
    slug = workload.removeprefix("i-")
    return slug if workload.startswith("i-") and SLUG_PATTERN.fullmatch(slug) else None


def pod_name(workload: str) -> str:
    """Name the only Pod of a workload's StatefulSet, e.g. `i-7f3k2qxbcd-0`."""
    return f"{workload}{_ORDINAL}"


def workload_of_pod(pod: str) -> str:
    """Return the workload of a Pod; another name is returned as it is."""
    return pod.removesuffix(_ORDINAL)


def namespace_name(prefix: str, tenant_slug: str) -> str:
    """Name the namespace of a tenant's objects, e.g. `aigc-t-acme`; 63 characters at most, as the slug has at most 40."""
    return f"{prefix}{tenant_slug}"


def volume_name(volume_slug: str) -> str:
    """Name a volume, e.g. `v-7f3k2qxbcd`."""
    return f"v-{volume_slug}"


def files_name(volume: str) -> str:
    """Name what serves the files of a volume, by the volume's own name: `v-7f3k2qxbcd` → `f-7f3k2qxbcd`."""
    return f"f-{volume.removeprefix('v-')}"
