"""Ports of local engines: first in, first out, and none again soon, so that no stale address reaches another's engine."""

import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from engines.clusters.base import ClusterError
from engines.clusters.local.files import locked, read_json, write_json
from engines.reasons import Reason


class PortPool:
    """Hands out ports to runs. `in_use` tells whether a run still is what a port was taken for."""

    def __init__(self, directory: Path, ports: Iterable[int], quarantine_seconds: float) -> None:
        self.file = directory / "ports.json"
        self.lock = directory / "ports.lock"
        self.ports = list(ports)
        self.quarantine_seconds = quarantine_seconds

    def take(self, run_id: str, *, in_use: Callable[[str], bool]) -> int:
        """Return a port that nobody listens on; ClusterError(NO_PORT) if there is none."""
        with locked(self.lock):
            taken, released = self._read()
            port = self._choose(taken, released)
            if port is None:
                # Whoever took a port and died before writing its run down holds it for nothing.
                taken = {number: holder for number, holder in taken.items() if in_use(holder)}
                port = self._choose(taken, released)
            if port is None:
                raise ClusterError(Reason.NO_PORT, f"none of {len(self.ports)} ports is free")
            write_json(self.file, {"taken": taken | {str(port): run_id}, "released": released})
        return port

    def give_back(self, port: int, run_id: str) -> None:
        """Put the port into quarantine; does nothing if it is not this run's."""
        with locked(self.lock):
            taken, released = self._read()
            if taken.get(str(port)) == run_id:
                del taken[str(port)]
                write_json(self.file, {"taken": taken, "released": released | {str(port): time.time()}})

    def _read(self) -> tuple[dict[str, str], dict[str, float]]:
        content = read_json(self.file) or {"taken": {}, "released": {}}
        return content["taken"], content["released"]

    def _choose(self, taken: dict[str, str], released: dict[str, float]) -> int | None:
        """Longest released first, those never used before all."""
        rested = time.time() - self.quarantine_seconds
        for port in sorted(self.ports, key=lambda number: released.get(str(number), 0.0)):
            if str(port) not in taken and released.get(str(port), 0.0) <= rested and _nobody_listens(port):
                return port
        return None


def _nobody_listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
