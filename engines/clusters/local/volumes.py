"""Volumes as directories. What lies on one is an engine's: links are never followed, and anything may change meanwhile."""

import os
import shutil
import uuid
from contextlib import suppress
from pathlib import Path

from engines.clusters.base import ClusterUnavailable, VolumeUsage
from engines.files.base import FileRefusal
from engines.files.store import Store

_TRASH = ".trash-"


def measure(path: Path) -> VolumeUsage:
    """Add up the blocks of everything on the volume; ClusterUnavailable if that takes more than a minute."""
    path.stat()
    try:
        usage = Store(path).usage()
    except FileRefusal as refusal:
        raise ClusterUnavailable(f"{path} cannot be measured: {refusal}") from refusal
    return VolumeUsage(usage.used_bytes, usage.free_bytes)


def throw_away(path: Path) -> Path:
    """Take the volume out of reach in one step; FileNotFoundError if it is gone."""
    trash = path.with_name(f"{_TRASH}{uuid.uuid4()}")
    path.rename(trash)
    return trash


def empty_trash(volumes: Path) -> None:
    """Remove what was thrown away, also by somebody who was cut off."""
    for trash in volumes.glob(f"{_TRASH}*"):
        _make_removable(trash)
        with suppress(FileNotFoundError):  # somebody else removes it too
            shutil.rmtree(trash)


def _make_removable(trash: Path) -> None:
    """An engine may have taken its own directories' permissions away."""
    for parent, directories, _ in os.walk(trash):
        for name in directories:
            path = Path(parent, name)
            if not path.is_symlink():
                with suppress(FileNotFoundError):
                    path.chmod(0o700)
