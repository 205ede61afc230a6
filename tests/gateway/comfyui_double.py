"""As much of ComfyUI's API as its published clients use, in the shapes that ComfyUI 0.3.64 answers: raw ASGI, run by uvicorn.

Nothing is computed: a prompt is finished at once, with one picture for each of its SaveImage nodes.
"""

import asyncio
import json
import uuid
from urllib.parse import parse_qs

sockets: dict[str, asyncio.Queue] = {}
history: dict[str, dict] = {}


async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await events(scope, receive, send)
    elif scope["type"] == "http":
        await http(scope, receive, send)


async def events(scope, receive, send):
    """`/ws?clientId=…`: the state of the queue first, then what happens to the client's prompts."""
    [client] = parse_qs(scope["query_string"].decode())["clientId"]
    sockets[client] = queue = asyncio.Queue()
    await receive()
    await send({"type": "websocket.accept"})
    await say(send, "status", {"status": {"exec_info": {"queue_remaining": 0}}, "sid": client})
    leaving = asyncio.create_task(receive())
    while not leaving.done():
        waiting = asyncio.create_task(queue.get())
        await asyncio.wait({leaving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            await say(send, *waiting.result())
        else:
            waiting.cancel()


async def say(send, kind: str, data: dict):
    await send({"type": "websocket.send", "text": json.dumps({"type": kind, "data": data})})


async def http(scope, receive, send):
    route = (scope["method"], scope["path"].split("/")[1])
    if route == ("POST", "prompt"):
        status, body = accept(json.loads((await receive())["body"]))
    elif route == ("GET", "history"):
        prompt_id = scope["path"].removeprefix("/history/")
        status, body = 200, {prompt_id: history[prompt_id]} if prompt_id in history else {}
    elif route == ("GET", "queue"):
        status, body = 200, {"queue_running": [], "queue_pending": []}
    else:
        status, body = 404, {}
    await send(
        {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json; charset=utf-8")]}
    )
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


def accept(asked: dict) -> tuple[int, dict]:
    """Take a prompt, as ComfyUI would, and tell its client what happened to it."""
    if "prompt" not in asked:
        error = {"type": "no_prompt", "message": "No prompt provided", "details": "No prompt provided", "extra_info": {}}
        return 400, {"error": error, "node_errors": {}}
    prompt_id = str(uuid.uuid4())
    saved = [node for node, what in asked["prompt"].items() if what["class_type"] == "SaveImage"]
    outputs = {node: {"images": [{"filename": f"double_{node}_.png", "subfolder": "", "type": "output"}]} for node in saved}
    status = {"status_str": "success", "completed": True, "messages": []}
    history[prompt_id] = {"prompt": [1, prompt_id, asked["prompt"]], "outputs": outputs, "status": status, "meta": {}}
    queue = sockets.get(asked.get("client_id", ""))
    if queue is not None:
        queue.put_nowait(("execution_start", {"prompt_id": prompt_id}))
        for node in asked["prompt"]:
            queue.put_nowait(("executing", {"node": node, "display_node": node, "prompt_id": prompt_id}))
        queue.put_nowait(("execution_success", {"prompt_id": prompt_id}))
    return 200, {"prompt_id": prompt_id, "number": 1, "node_errors": {}}
