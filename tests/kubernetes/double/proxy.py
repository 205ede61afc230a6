"""Services that can really be dialled: an address of the loopback network each, and a TCP proxy to the ready Pod's process.

Nothing listens while no Pod is ready, so that a dial is refused as it is in a cluster.
"""

import asyncio
import errno
import itertools
import os
import socket
from collections.abc import Callable, Mapping
from weakref import WeakSet

from tests.kubernetes.double.api import CONTROLLER, Api
from tests.kubernetes.double.controllers import is_ready
from tests.kubernetes.double.errors import ApiError
from tests.kubernetes.double.listening import Listener
from tests.kubernetes.double.resources import ENDPOINTS, PODS, SERVICES, Document, Resource
from tests.kubernetes.double.selectors import labels_of
from tests.kubernetes.double.store import Change, Key
from tests.kubernetes.double.workqueue import Queue


class Proxy:
    """Addresses, endpoints and listeners of all Services."""

    def __init__(self, api: Api, failures: list[Exception], port_of: Callable[[Key], int | None]) -> None:
        self.api, self.port_of = api, port_of
        self.queue = Queue(self.sync, failures)
        self.listeners: dict[tuple[Key, int], Listener] = {}
        self.stopped: list[Listener] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.dials: WeakSet[asyncio.StreamWriter] = WeakSet()
        # Doubles of several tests run side by side: each draws its own corner of 127/8.
        self.addresses = (
            f"127.{64 + os.getpid() % 128}.{n // 250 % 250 + 1}.{n % 250 + 1}" for n in itertools.count(id(self) // 64 % 60_000)
        )

    def allocate(self, service: Document) -> None:
        """Give a new Service its address: one whose ports nobody else holds."""
        spec = service["spec"]
        if spec.get("type") == "ExternalName" or spec.get("clusterIP"):
            return
        used = {each["spec"].get("clusterIP") for each in self.api.store.all(SERVICES)}
        ports = [port["port"] for port in spec.get("ports", [])]
        address = next(each for each in self.addresses if each not in used and is_free(each, ports))
        spec |= {"clusterIP": address, "clusterIPs": [address]}

    def notice(self, resource: Resource, change: Change) -> None:
        metadata = change.document["metadata"]
        if resource is SERVICES:
            self.queue.add((metadata["namespace"], metadata["name"]))
        elif resource is PODS and "double.local/simulated" not in (metadata.get("annotations") or {}):
            for service in self.serving(change.document):
                self.queue.add((metadata["namespace"], service["metadata"]["name"]))

    def serving(self, pod: Document) -> list[Document]:
        labels = labels_of(pod)
        services = self.api.store.all(SERVICES, pod["metadata"]["namespace"])
        return [each for each in services if selects(each, labels)]

    def sync(self, key: Key) -> None:
        service = self.api.store.get(SERVICES, *key)
        ready = (
            []
            if service is None
            else [pod for pod in self.api.store.all(PODS, key[0]) if selects(service, labels_of(pod)) and is_serving(pod)]
        )
        ports = [] if service is None else service["spec"].get("ports", [])
        if service is not None:
            self.write_endpoints(key, service, ready)
        for listener in [each for each in self.listeners if each[0] == key]:
            if not ready or listener[1] not in [port["port"] for port in ports]:
                self.stop(self.listeners.pop(listener))
        for port in ports if ready else []:
            if (key, port["port"]) not in self.listeners:
                self.listen(key, service["spec"]["clusterIP"], port["port"])  # type: ignore[index]

    def write_endpoints(self, key: Key, service: Document, ready: list[Document]) -> None:
        addresses = [
            {"ip": pod["status"].get("podIP", ""), "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"]}} for pod in ready
        ]
        ports = [
            {"name": port.get("name", ""), "port": port["port"], "protocol": "TCP"} for port in service["spec"].get("ports", [])
        ]
        subsets = [{"addresses": addresses, "ports": ports}] if addresses else []
        owner = {"apiVersion": "v1", "kind": "Service", "name": key[1], "uid": service["metadata"]["uid"]}
        metadata = {"name": key[1], "labels": service["metadata"].get("labels") or {}, "ownerReferences": [owner]}
        try:
            if self.api.store.get(ENDPOINTS, *key) is None:
                document = {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": subsets}
                self.api.create(ENDPOINTS, key[0], document, CONTROLLER)
            else:
                self.api.change(ENDPOINTS, *key, lambda old: {**old, "subsets": subsets}, CONTROLLER)
        except ApiError:
            return  # its namespace is going

    def listen(self, key: Key, address: str, port: int) -> None:
        try:
            self.listeners[key, port] = Listener(lambda: self.dialled(key), address, port)
        except OSError:
            return  # a port below 1024 needs a privileged account: dials are refused

    def stop(self, listener: Listener) -> None:
        listener.stop()
        self.stopped = [listener, *(each for each in self.stopped if each.accepted)]

    def dialled(self, key: Key) -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(), lambda reader, writer: self.accept(key, reader, writer))

    def accept(self, key: Key, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry a dial in a task that closes it however it ends, also before it has begun."""
        task = asyncio.ensure_future(self.carry(key, reader, writer))
        self.tasks.add(task)
        self.dials.add(writer)

        def done(_: object) -> None:
            self.tasks.discard(task)
            writer.close()
            if self.queue.closed:
                writer.transport.abort()

        task.add_done_callback(done)

    async def carry(self, key: Key, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Join a dial with the process that serves now."""
        try:
            service = self.api.store.get(SERVICES, *key)
            pods = self.api.store.all(PODS, key[0]) if service is not None else []
            targets = [
                self.port_of((key[0], pod["metadata"]["name"])) for pod in pods if service and selects(service, labels_of(pod))
            ]
            port = next((each for each in targets if each), None)
            if port is not None:
                inner, outer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    await asyncio.gather(pump(reader, outer), pump(inner, writer))
                finally:
                    outer.transport.abort()  # what nobody reads any more would keep it open
        except OSError:
            pass

    async def close(self) -> None:
        self.queue.close()
        for listener in [*self.listeners.values(), *self.stopped]:
            await listener.close()
        tasks = list(self.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for dial in list(self.dials):
            dial.transport.abort()  # one whose last words nobody reads would stay open


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


def selects(service: Document, labels: Mapping[str, str]) -> bool:
    chosen = service["spec"].get("selector") or {}
    return bool(chosen) and all(labels.get(key) == value for key, value in chosen.items())


def is_serving(pod: Document) -> bool:
    return is_ready(pod) and "deletionTimestamp" not in pod["metadata"]


def is_free(address: str, ports: list[int]) -> bool:
    """Try to bind; what only a privileged account may bind counts as free."""
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EPERM):
                    return False
    return True
