"""Progress for every open page; one that cannot keep up is cut off and comes back for the present state."""

import asyncio
import json
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

MOST_UNSENT = 256
TRY_AGAIN_LATER = 1013
GOING_AWAY = 1001


class Live:
    """Hands each message to each connection's own outbox."""

    def __init__(self) -> None:
        self._outboxes: set[asyncio.Queue[str | int]] = set()

    def announce(self, message: dict[str, Any]) -> None:
        """Never waits for anyone."""
        text = json.dumps(message)
        for outbox in list(self._outboxes):
            if outbox.qsize() < MOST_UNSENT:
                outbox.put_nowait(text)
            else:
                self._cut_off(outbox, TRY_AGAIN_LATER)

    def close(self) -> None:
        """Say goodbye to everyone."""
        for outbox in list(self._outboxes):
            self._cut_off(outbox, GOING_AWAY)

    async def serve(self, websocket: WebSocket, first: dict[str, Any]) -> None:
        """Send the present state, then whatever is announced, until either side ends it."""
        await websocket.accept()
        outbox: asyncio.Queue[str | int] = asyncio.Queue()
        outbox.put_nowait(json.dumps(first))
        self._outboxes.add(outbox)
        listening = asyncio.create_task(_until_gone(websocket))
        listening.add_done_callback(lambda _: outbox.put_nowait(GOING_AWAY))
        try:
            while isinstance(message := await outbox.get(), str):
                await websocket.send_text(message)
            if not listening.done():
                await websocket.close(message)
        except WebSocketDisconnect:
            return
        finally:
            self._outboxes.discard(outbox)
            listening.cancel()

    def _cut_off(self, outbox: "asyncio.Queue[str | int]", code: int) -> None:
        self._outboxes.discard(outbox)
        while not outbox.empty():
            outbox.get_nowait()
        outbox.put_nowait(code)


async def _until_gone(websocket: WebSocket) -> None:
    """Pages have nothing to say; reading is how a closed connection shows."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass
