"""Startup and readiness probes: real requests to a real process, or the word of a simulated one."""

import asyncio
from collections.abc import Callable

from tests.kubernetes.double.containers import Container, Process, Simulated
from tests.kubernetes.double.resources import Document


async def problem(probe: Document, container: Container, pod_ip: str, port: int) -> str:
    """Probe once; gives what the kubelet says of a failure, empty for success."""
    wanted = probe.get("httpGet") or probe.get("tcpSocket") or {}
    address = f"{pod_ip}:{port}"
    refused = f"dial tcp {address}: connect: connection refused"
    path = (probe.get("httpGet") or {}).get("path", "/")
    if "httpGet" in probe:
        refused = f'Get "http://{address}{path}": {refused}'
    if isinstance(container, Simulated):
        return "" if container.answers else refused
    if not isinstance(container, Process) or not wanted:
        return ""
    try:
        return await asyncio.wait_for(dial(container.port, path if "httpGet" in probe else None), probe["timeoutSeconds"])
    except TimeoutError:
        return f'Get "http://{address}{path}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
    except OSError:
        return refused


async def dial(port: int, path: str | None) -> str:
    """Connect, and ask for a path if there is one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        if path is None:
            return ""
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: kube-probe/1.36\r\nConnection: close\r\n\r\n".encode()
        )
        words = (await reader.readline()).split()
        if len(words) < 2:
            return f'Get "http://127.0.0.1:{port}{path}": EOF'
        return "" if 200 <= int(words[1]) < 400 else f"HTTP probe failed with statuscode: {int(words[1])}"
    finally:
        writer.close()


class Prober:
    """Probes one container until it ends: startup first, readiness after it."""

    def __init__(self, spec: Document, container: Container, pod_ip: str, speed: float) -> None:
        self.spec, self.container, self.pod_ip, self.speed = spec, container, pod_ip, speed
        ports = {port.get("name", ""): port["containerPort"] for port in spec.get("ports", [])}
        self.ports = {**ports, **{number: number for number in ports.values()}}

    async def run(self, *, told: Callable[[str, str], None], started: Callable[[], None], ready: Callable[[bool], None]) -> bool:
        """Go through both probes; False if it did not start in its time. `told` hears of failures, by kind."""
        startup, readiness = self.spec.get("startupProbe"), self.spec.get("readinessProbe")
        if startup and not await self.start_up(startup, told):
            return False
        if not self.container.running:
            return True
        started()
        if readiness is None:
            ready(True)
        else:
            await self.watch(readiness, told, ready)
        return True

    async def start_up(self, probe: Document, told: Callable[[str, str], None]) -> bool:
        """Probe often, yet give it as much time as the manifest does."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(probe.get("initialDelaySeconds", 0) / self.speed)
        deadline = loop.time() + probe["periodSeconds"] * probe["failureThreshold"]
        quiet_until = 0.0
        while self.container.running:
            failure = await self.problem(probe)
            if not failure:
                return True
            if loop.time() >= quiet_until:
                told("Startup", failure)
                quiet_until = loop.time() + probe["periodSeconds"]
            if loop.time() >= deadline:
                return False
            await asyncio.sleep(self.pause(probe))
        return True

    async def watch(self, probe: Document, told: Callable[[str, str], None], ready: Callable[[bool], None]) -> None:
        failures, quiet_until, loop = 0, 0.0, asyncio.get_running_loop()
        await asyncio.sleep(probe.get("initialDelaySeconds", 0) / self.speed)
        while self.container.running:
            failure = await self.problem(probe)
            failures = failures + 1 if failure else 0
            if not failure:
                ready(True)
            elif failures >= probe["failureThreshold"]:
                ready(False)
            if failure and loop.time() >= quiet_until:
                told("Readiness", failure)
                quiet_until = loop.time() + probe["periodSeconds"]
            await asyncio.sleep(self.pause(probe))

    def pause(self, probe: Document) -> float:
        return max(0.02, probe["periodSeconds"] / self.speed)

    async def problem(self, probe: Document) -> str:
        wanted = (probe.get("httpGet") or probe.get("tcpSocket") or {}).get("port", 0)
        return await problem(probe, self.container, self.pod_ip, self.ports.get(wanted, wanted))
