"""Gradio of any version: `queue/status` counts the events that wait, and none that runs (gradio/queueing.py, get_status)."""

from typing import Any

from engines.activity.probes.answer import Answer, busy, free, unknown
from engines.activity.probes.http import get_json
from engines.activity.probes.reading import member, refusal, whole_number

SIGNAL = "gradio queue"
PATHS = ("/gradio_api/queue/status", "/queue/status")  # from 5 on; before


def ask(address: str, *, deadline: float) -> Answer:
    """Ask under both paths. Raises NoAnswer."""
    status = 0
    for path in PATHS:
        page = get_json(address, path, deadline=deadline)
        if page.status == 200:
            return interpret(page.content)
        status = page.status
        if status != 404:
            break
    return unknown(SIGNAL, refusal(status))


def interpret(content: Any) -> Answer:
    """Read the answer of queue/status."""
    waiting = whole_number(member(content, "queue_size"))
    if waiting is None or waiting < 0:
        return unknown(SIGNAL, "no queue_size in the answer")
    evidence = f"queue_size {waiting}"
    return busy(SIGNAL, evidence) if waiting else free(SIGNAL, evidence, counts_running=False)
