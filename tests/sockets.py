"""A browser's side of a WebSocket, spoken to the ASGI application itself.

Channels brings one too, but its package cannot be imported without the Daphne server.
"""

from typing import Any
from urllib.parse import unquote, urlsplit

from asgiref.testing import ApplicationCommunicator

SECONDS = 5


class Socket(ApplicationCommunicator):
    """One connection; `headers` as a browser would send them."""

    def __init__(self, application: Any, path: str, headers: list[tuple[bytes, bytes]]) -> None:
        parts = urlsplit(path)
        scope = {
            "type": "websocket",
            "path": unquote(parts.path),
            "query_string": parts.query.encode(),
            "headers": headers,
            "subprotocols": [],
        }
        super().__init__(application, scope)

    async def connect(self) -> bool:
        """Shake hands; False if turned away before."""
        await self.send_input({"type": "websocket.connect"})
        return (await self.receive_output(SECONDS))["type"] == "websocket.accept"

    async def text(self) -> str:
        """Return the next message."""
        message = await self.receive_output(SECONDS)
        assert message["type"] == "websocket.send", message
        return message["text"]

    async def closing_code(self) -> int:
        """Return the code with which the server closes, which it must do next."""
        message = await self.receive_output(SECONDS)
        assert message["type"] == "websocket.close", message
        return message["code"]

    async def leave(self) -> None:
        """Go away, as a closed tab does."""
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wait(SECONDS)
