"""An engine as hostile and as demanding as real ones: raw ASGI, run by uvicorn in a process of its own."""

import asyncio
import hashlib
import json

BAD_HEADERS = [
    (b"x-aigc-upstream", b"127.0.0.1:1"),
    (b"clear-site-data", b'"*"'),
    (b"service-worker-allowed", b"/"),
    (b"strict-transport-security", b"max-age=1"),
    (b"alt-svc", b'h3=":443"'),
    (b"x-frame-options", b"ALLOWALL"),
    (b"content-security-policy", b"img-src *"),
    (b"set-cookie", b"own=1; Domain=engines.localhost; Path=/"),
    (b"set-cookie", b"__Host-aigc_s=stolen; Path=/; Secure"),
    (b"set-cookie", b"aigc_s=tossed; Path=/"),
]


async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await echo_frames(receive, send)
    elif scope["type"] == "http":
        path = scope["path"]
        handler = {"/upload": upload, "/events": events, "/hostile": hostile, "/download": download}.get(path, echo)
        await handler(scope, receive, send)


async def answer(send, body, headers=()):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json"), *headers]})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


async def echo(scope, receive, send):
    """Tell exactly what arrived."""
    headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]]
    target = scope["raw_path"].decode() + ("?" + scope["query_string"].decode() if scope["query_string"] else "")
    await answer(send, {"method": scope["method"], "target": target, "headers": headers})


async def hostile(scope, receive, send):
    await answer(send, {}, BAD_HEADERS)


async def upload(scope, receive, send):
    digest, size = hashlib.sha256(), 0
    while True:
        message = await receive()
        digest.update(message["body"])
        size += len(message["body"])
        if not message.get("more_body"):
            return await answer(send, {"size": size, "sha256": digest.hexdigest()})


async def download(scope, receive, send):
    size = int(scope["query_string"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    chunk = bytes(2**20)
    for _ in range(size // len(chunk)):
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def events(scope, receive, send):
    """Send one event, and the next only when the file named in the query appears: proof that nothing is held back."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    await send({"type": "http.response.body", "body": b"data: first\n\n", "more_body": True})
    gone = asyncio.create_task(wait_for_end(receive))
    await gone


async def wait_for_end(receive):
    while (await receive())["type"] != "http.disconnect":
        pass


async def echo_frames(receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "bytes": message.get("bytes"), "text": message.get("text")})
