"""What costs least: an ASGI application that hands a body to every open WebSocket, and says yes to every GET."""

import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

listeners: set[Send] = set()


async def app(scope: Message, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await listen(receive, send)
    elif scope["method"] == "POST":
        await answer(send, json.dumps(await broadcast(receive)).encode())
    else:
        await answer(send, b"")


async def listen(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    listeners.add(send)
    while (await receive())["type"] != "websocket.disconnect":
        pass
    listeners.discard(send)


async def broadcast(receive: Receive) -> float:
    """Send the body to everybody; returns the moment it was whole, by time.monotonic()."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message.get("more_body", False)
    moment, text = time.monotonic(), body.decode()
    for send in list(listeners):
        await send({"type": "websocket.send", "text": text})
    return moment


async def answer(send: Send, body: bytes) -> None:
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
