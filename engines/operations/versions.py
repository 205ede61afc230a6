"""What operators do with engine versions. Whoever calls has made sure that the person may change the catalog.

`by`: None for the portal itself.
"""

import itertools
from collections.abc import Iterator

from django.db import transaction
from django.utils.translation import gettext as _

from engines.errors import Unavailable
from engines.models import EngineVersion
from tenants.audit.operations import Subject, record
from tenants.models import User

FIXED_FIELDS = (
    "engine",
    "version",
    "image",
    "command",
    "args",
    "port",
    "health_path",
    "data_mounts",
    "environment",
    "secret_environment",
    "shared_mounts",
    "pod_patch",
    "activity",
    "startup_limit_seconds",
    "run_as",
    "shm_mib",
    "migrate_command",
    "migrates_from",
)
"""What a database trigger keeps unchanged once the version has left draft."""

_COPY_LENGTH = 40


@transaction.atomic
def publish_version(*, version: EngineVersion, by: User | None = None) -> None:
    """Offer a draft, or again a deprecated version, for launches; does nothing if it is offered."""
    locked = _lock(version)
    if locked.status != EngineVersion.Status.PUBLISHED:
        locked.status = EngineVersion.Status.PUBLISHED
        locked.save(update_fields=["status"])
        _audit("catalog.published", locked, by)


@transaction.atomic
def deprecate_version(*, version: EngineVersion, by: User | None = None) -> None:
    """Stop recommending a published version: it is no longer the default; what runs on it goes on."""
    locked = _lock(version)
    if locked.status == EngineVersion.Status.DRAFT:
        raise Unavailable(
            _("%(version)s is a draft, which nobody can launch. Delete it if it is not wanted.") % {"version": locked}
        )
    if locked.status == EngineVersion.Status.DEPRECATED:
        return
    locked.status = EngineVersion.Status.DEPRECATED
    locked.is_default = False
    locked.save(update_fields=["status", "is_default"])
    _audit("catalog.deprecated", locked, by)


@transaction.atomic
def make_default_version(*, version: EngineVersion, by: User | None = None) -> None:
    """Choose this published version for artists who pick none."""
    locked = _lock(version)
    if locked.status != EngineVersion.Status.PUBLISHED:
        raise Unavailable(_("%(version)s is not published, so it cannot be the default.") % {"version": locked})
    EngineVersion.objects.filter(engine_id=locked.engine_id, is_default=True).exclude(pk=locked.pk).update(is_default=False)
    if locked.is_default:
        return
    locked.is_default = True
    locked.save(update_fields=["is_default"])
    _audit("catalog.default_chosen", locked, by)


@transaction.atomic
def copy_version(*, version: EngineVersion, by: User | None = None) -> EngineVersion:
    """Make a draft with the same fields, under a free name, to be changed and published."""
    locked = _lock(version)
    taken = set(EngineVersion.objects.filter(engine_id=locked.engine_id).values_list("version", flat=True))
    fields = {name: value for name, value in EngineVersion.objects.values().get(pk=locked.pk).items() if name != "id"}
    fields |= {
        "version": next(name for name in _copy_names(locked.version) if name not in taken),
        "status": EngineVersion.Status.DRAFT,
        "is_default": False,
    }
    copied = EngineVersion.objects.create(**fields)
    _audit("catalog.copied", copied, by, **{"from": locked.version})
    return copied


def _audit(kind: str, version: EngineVersion, by: User | None, **details: object) -> None:
    record(kind, actor=by, subject=Subject("engineversion", str(version.pk), str(version)), details=details)


def _copy_names(version: str) -> Iterator[str]:
    for number in itertools.count(1):
        suffix = "-copy" if number == 1 else f"-copy{number}"
        yield version[: _COPY_LENGTH - len(suffix)] + suffix


def _lock(version: EngineVersion) -> EngineVersion:
    """Lock the engine's versions, of which one may be the default, and return this one as it is now."""
    rows = (
        EngineVersion.objects.select_for_update(of=("self",), no_key=True)
        .select_related("engine")
        .filter(engine_id=version.engine_id)
    )
    return next(row for row in rows.order_by("pk") if row.pk == version.pk)
