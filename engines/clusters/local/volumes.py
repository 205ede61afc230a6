"""Volumes as directories of this machine."""

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from engines.clusters.base import ClusterError, VolumeUsage
from engines.reasons import Reason

_TRASH = ".trash-"


class Volumes:
    """The directories below one root; symbolic links in them are never followed."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        return self.root / name

    def ensure(self, name: str) -> None:
        """Make the directory, for its owner alone."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path(name).mkdir(exist_ok=True, mode=0o700)

    def exists(self, name: str) -> bool:
        return self.path(name).is_dir() and not self.path(name).is_symlink()

    def usage(self, name: str) -> VolumeUsage:
        """Add up what is there; files that vanish meanwhile count nothing."""
        if not self.exists(name):
            raise ClusterError(Reason.VOLUME_MISSING, f"{self.path(name)} is not there")
        return VolumeUsage(sum(_sizes(self.path(name))), shutil.disk_usage(self.root).free)

    def delete(self, name: str) -> None:
        """Move it away in one step, then remove it; a removal that was cut off is finished by the next."""
        if self.exists(name):
            self.path(name).rename(self.root / f"{_TRASH}{uuid.uuid4()}")
        if self.root.is_dir():
            for leftover in self.root.glob(f"{_TRASH}*"):
                shutil.rmtree(leftover, ignore_errors=True)


def _sizes(directory: Path) -> Iterator[int]:
    """Bytes on disk of each file below, not beyond symbolic links."""
    for folder, _, names in os.walk(directory):
        for name in names:
            try:
                yield os.lstat(Path(folder) / name).st_blocks * 512
            except FileNotFoundError:
                continue
