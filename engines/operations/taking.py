"""What is taken out of the portal, or deleted for good, where no row says so: the audit log is told, once it is sure to happen.

Files are the cluster's, not the database's, so what is told and what is done cannot be one transaction.
"""

from collections.abc import Sequence

from engines.auditing import record_instance, record_volume
from engines.models import Instance, Volume
from tenants.models import Membership

NAMES = 20
"""Names of files that the log keeps of one deed; the rest is a number."""


def note_log_taken(*, instance: Instance, by: Membership) -> None:
    """Somebody takes an engine's log as a file."""
    record_instance("instance.log_taken", instance, by)


def note_files_taken(*, volume: Volume, by: Membership, folder: str, names: Sequence[str]) -> None:
    """Somebody takes files as an archive; no names: all of the folder."""
    record_volume("volume.archived", volume, by, **_named(folder, names))


def note_files_deleted(*, volume: Volume, by: Membership, folder: str, names: Sequence[str]) -> None:
    """Somebody has deleted files for good."""
    record_volume("volume.files_deleted", volume, by, **_named(folder, names))


def _named(folder: str, names: Sequence[str]) -> dict[str, object]:
    return {"folder": folder, "count": len(names), "files": list(names[:NAMES])}
