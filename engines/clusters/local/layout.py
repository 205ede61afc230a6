"""Where a local cluster keeps what: the state directory as paths. Pure."""

import re
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Layout:
    """Paths below one cluster's root. Names are DNS labels, so none leads anywhere else."""

    root: Path

    @property
    def workloads(self) -> Path:
        return self.root / "workloads"

    @property
    def volumes(self) -> Path:
        return self.root / "volumes"

    @property
    def leases(self) -> Path:
        """Ports, devices and volumes in use."""
        return self.root / "leases.json"

    @property
    def bell(self) -> Path:
        """Touched after every change of a record: one stat tells a watcher that nothing happened."""
        return self.root / "bell"

    def workload(self, name: str) -> Path:
        return self.workloads / _checked(name)

    def record(self, name: str) -> Path:
        return self.workload(name) / "record.json"

    def log(self, name: str, run_id: str) -> Path:
        return self.workload(name) / f"log-{run_id}"

    def exit_code(self, name: str, run_id: str) -> Path:
        """Written by the engine's recorder; its modification time is the moment of the end."""
        return self.workload(name) / f"exit-{run_id}"

    def scratch(self, name: str) -> Path:
        return self.workload(name) / "tmp"

    def forgotten(self, name: str) -> Path:
        """What remains of a deleted workload: its epochs, so that no late call brings it back, and how its last run ended."""
        return self.root / "forgotten" / f"{_checked(name)}.json"

    def lock(self, name: str) -> Path:
        """Outside the workload's directory: a lock must outlive what it protects."""
        return self.root / "locks" / _checked(name)

    def volume(self, name: str) -> Path:
        return self.volumes / _checked(name)

    def make(self) -> None:
        """Create the directories, for their owner alone."""
        for path in (self.root, self.workloads, self.volumes, self.root / "forgotten", self.root / "locks"):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a DNS label")
    return name
