"""Listening sockets that lose nothing they have accepted.

`asyncio.Server`, closed between an accept and the making of its transport, leaves the accepted socket to the garbage collector,
and so does a task that is cancelled before its first step. Here the tasks that make transports are known, and waited for.
"""

import asyncio
import socket
from collections.abc import Callable


class Listener:
    """Listens at once on an address and port (0: any); each connection gets a protocol. OSError if it cannot."""

    def __init__(self, protocol: Callable[[], asyncio.Protocol], address: str, port: int, *, backlog: int = 128) -> None:
        self.protocol = protocol
        self.socket = socket.create_server((address, port), backlog=backlog)
        self.socket.setblocking(False)
        self.port: int = self.socket.getsockname()[1]
        self.loop = asyncio.get_running_loop()
        self.loop.add_reader(self.socket, self.accept)
        self.accepted: set[asyncio.Task[object]] = set()

    def accept(self) -> None:
        try:
            connection, _address = self.socket.accept()
        except OSError:
            return  # the client has gone again
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # answers go out in pieces
        task = self.loop.create_task(self.open(connection))
        self.accepted.add(task)
        task.add_done_callback(self.accepted.discard)

    async def open(self, connection: socket.socket) -> None:
        await self.loop.connect_accepted_socket(self.protocol, connection)

    def stop(self) -> None:
        """Refuse dials from now on; what was accepted lives on."""
        if self.socket.fileno() != -1:
            self.loop.remove_reader(self.socket)
            self.socket.close()

    async def close(self) -> None:
        """Stop, and wait until everything that was accepted has reached its protocol."""
        self.stop()
        await asyncio.gather(*self.accepted, return_exceptions=True)
