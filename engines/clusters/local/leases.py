"""Ports, GPUs and volumes that runs hold: one file, one lock, one lease per workload."""

import json
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any
from zlib import crc32

from engines.clusters.base import ClusterError
from engines.clusters.local.config import LocalConfig
from engines.clusters.local.files import locked, read_whole, write_whole
from engines.reasons import Reason


class Exhausted(ClusterError):
    """Nothing is free; perhaps some holders are not alive any more."""


@dataclass(frozen=True)
class Claim:
    """What a run needs. `port` 0 takes one from the pool; `devices` are those of its class, of which it needs `count`."""

    name: str
    run_id: str
    volume: str
    port: int = 0
    devices: tuple[str, ...] = ()
    count: int = 0


@dataclass(frozen=True)
class Lease:
    """What a run holds until none of its processes is left."""

    run_id: str
    volume: str
    port: int
    devices: tuple[str, ...] = ()


@dataclass
class _Book:
    leases: dict[str, Lease] = field(default_factory=dict)  # by workload
    released: list[tuple[int, float]] = field(default_factory=list)  # ports, and when; oldest first


class Leases:
    """The book of one cluster; every method is one step under its lock."""

    def __init__(self, config: LocalConfig) -> None:
        """Read nothing yet."""
        self._config = config
        self._path = config.layout.leases

    def take(self, claim: Claim) -> Lease:
        """Lease what the run needs, in place of what its workload held before.

        Exhausted if there is no port or device; ClusterError(VOLUME_MISSING) if the volume is not there.
        """
        with self._open() as book:
            self._let_go(book, claim.name)
            if not self._config.layout.volume(claim.volume).is_dir():
                raise ClusterError(Reason.VOLUME_MISSING, f"volume {claim.volume} is not there")
            devices = _free_devices(book, claim)
            lease = Lease(claim.run_id, claim.volume, self._free_port(book, claim.port), devices)
            book.leases[claim.name] = lease
            self._write(book)
            return lease

    def release(self, name: str, run_id: str) -> None:
        """Give back what this run holds; does nothing if it holds nothing any more."""
        with self._open() as book:
            lease = book.leases.get(name)
            if lease and lease.run_id == run_id:
                self._let_go(book, name)
                self._write(book)

    def holders(self) -> dict[str, Lease]:
        """Return all leases by workload."""
        with self._open() as book:
            return book.leases

    @contextmanager
    def volume_unused(self, volume: str) -> Iterator[None]:
        """Keep everybody from leasing a volume; Exhausted if somebody has."""
        with self._open() as book:
            users = [name for name, lease in book.leases.items() if lease.volume == volume]
            if users:
                raise Exhausted(Reason.STRAY_WORKLOAD, f"volume {volume} is in use by workload {users[0]}")
            yield

    def _free_port(self, book: _Book, fixed: int) -> int:
        leased = {lease.port for lease in book.leases.values()}
        resting = dict(book.released)
        candidates: Sequence[int] = [fixed] if fixed else self._candidates(resting)
        port = next((port for port in candidates if port not in leased and _is_free(port)), 0)
        if not port:
            pool = 1 if fixed else len(self._config.ports)
            others = f"{len(leased)} serve engines, {len(resting)} rest after use, other programs have the rest"
            raise Exhausted(Reason.NO_PORT, f"none of {pool} ports is free: {others}")
        book.released = [entry for entry in book.released if entry[0] != port]
        return port

    def _candidates(self, resting: dict[int, float]) -> list[int]:
        """Ports that were never used, then those longest out of use, without those in quarantine."""
        pool = list(self._config.ports)
        # Clusters that share a range begin at different places in it.
        start = crc32(str(self._path).encode()) % len(pool) if pool else 0
        fresh = [port for port in pool[start:] + pool[:start] if port not in resting]
        now = time.time()
        # A clock that was set back must not lengthen anybody's quarantine.
        rested = [port for port, at in resting.items() if now - min(at, now) >= self._config.port_quarantine_seconds]
        return fresh + [port for port in rested if port in self._config.ports]

    @contextmanager
    def _open(self) -> Iterator[_Book]:
        with locked(self._path.with_name("leases.lock")):
            yield self._read()

    def _read(self) -> _Book:
        content = read_whole(self._path)
        if not content:
            return _Book()
        raw: dict[str, Any] = json.loads(content)
        leases = {name: Lease(**{**lease, "devices": tuple(lease["devices"])}) for name, lease in raw["leases"].items()}
        return _Book(leases, [(port, at) for port, at in raw["released"]])

    def _write(self, book: _Book) -> None:
        # Nothing that holds a lease survives a power failure, so neither need the lease.
        write_whole(self._path, json.dumps(asdict(book)).encode(), durable=False)

    @staticmethod
    def _let_go(book: _Book, name: str) -> None:
        lease = book.leases.pop(name, None)
        if lease:
            book.released = [entry for entry in book.released if entry[0] != lease.port] + [(lease.port, time.time())]


def _free_devices(book: _Book, claim: Claim) -> tuple[str, ...]:
    taken = {device for lease in book.leases.values() for device in lease.devices}
    free = [device for device in claim.devices if device not in taken]
    if len(free) < claim.count:
        raise Exhausted(Reason.NO_CAPACITY, f"{claim.count} of {len(claim.devices)} GPUs are needed, {len(free)} are free")
    return tuple(free[: claim.count])


def _is_free(port: int) -> bool:
    """Try it: whatever listens there, on any address that an engine's would collide with, is found."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed connections of an earlier engine do not count
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
