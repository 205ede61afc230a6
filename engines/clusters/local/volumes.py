"""Volumes as directories. What lies on one is an engine's: links are never followed, and anything may change meanwhile."""

import os
import shutil
import time
import uuid
from contextlib import suppress
from pathlib import Path

from engines.clusters.base import ClusterUnavailable, VolumeUsage

_TRASH = ".trash-"
_MEASURE_SECONDS = 60.0


def measure(path: Path) -> VolumeUsage:
    """Add up the blocks of everything on the volume; ClusterUnavailable if that takes more than a minute."""
    deadline = time.monotonic() + _MEASURE_SECONDS
    seen: set[int] = set()
    used, pending = 0, [path]
    device = path.stat().st_dev
    while pending:
        for entry in _entries(pending.pop()):
            try:
                state = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if state.st_dev != device or state.st_ino in seen:
                continue  # something mounted there, or a second name of the same file
            if state.st_nlink > 1:
                seen.add(state.st_ino)
            used += state.st_blocks * 512
            if entry.is_dir(follow_symlinks=False):
                pending.append(Path(entry.path))
        if time.monotonic() > deadline:
            raise ClusterUnavailable(f"{path} has too many files to be measured in {_MEASURE_SECONDS:.0f} s")
    return VolumeUsage(used, shutil.disk_usage(path).free)


def _entries(path: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


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
