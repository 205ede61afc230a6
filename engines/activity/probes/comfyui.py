"""ComfyUI: `GET /prompt` counts what runs and what waits (server.py, get_queue_info)."""

from typing import Any

from engines.activity.probes.answer import Answer, busy, free, unknown
from engines.activity.probes.http import get_json
from engines.activity.probes.reading import member, refusal, whole_number

SIGNAL = "comfyui queue"


def ask(address: str, *, deadline: float) -> Answer:
    """Ask for the counts alone: /queue holds whole workflows, which may be many megabytes. Raises NoAnswer."""
    page = get_json(address, "/prompt", deadline=deadline)
    return interpret(page.content) if page.status == 200 else unknown(SIGNAL, refusal(page.status))


def interpret(content: Any) -> Answer:
    """Read the answer of /prompt."""
    remaining = whole_number(member(content, "exec_info", "queue_remaining"))
    if remaining is None or remaining < 0:
        return unknown(SIGNAL, "no exec_info.queue_remaining in the answer")
    evidence = f"queue_remaining {remaining}"
    return busy(SIGNAL, evidence) if remaining else free(SIGNAL, evidence)
