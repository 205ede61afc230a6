"""ComfyUI: `GET /history?max_items=N` has the last N jobs that ended, with what they saved (execution.py, get_history).

Each job's messages say when it ended, in milliseconds by the engine's clock, since 0.2; jobs of older versions are not told. Only
pictures that were saved count: previews are of the type "temp".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from engines.activity.probes.http import NoAnswer, get_json
from engines.activity.probes.reading import member, whole_number

FEW, MANY = 8, 64
"""Jobs to ask for: each comes with its whole workflow."""
LIMIT = 8 * 1024 * 1024
_ENDS = frozenset({"execution_success", "execution_error", "execution_interrupted"})


@dataclass(frozen=True, slots=True)
class Job:
    """One that ended, and how many pictures it saved."""

    ended_ms: int
    pictures: int


def ask_jobs(address: str, *, after_ms: int, deadline: float) -> list[Job]:
    """Return the jobs that ended later than that, the last 64 at most. Raises NoAnswer."""
    found = _asked(address, FEW, deadline)
    if len(found) == FEW and min(job.ended_ms for job in found) > after_ms:
        try:
            found = _asked(address, MANY, deadline)
        except NoAnswer:  # too much to read: the few are told
            return found
    return [job for job in found if job.ended_ms > after_ms]


def interpret(content: Any) -> list[Job]:
    """Read the answer of /history; what does not say when it ended is left out."""
    if not isinstance(content, dict):
        return []
    return [Job(ended, _saved(each)) for each in content.values() if (ended := _ended(each)) is not None]


def _asked(address: str, count: int, deadline: float) -> list[Job]:
    page = get_json(address, f"/history?max_items={count}", deadline=deadline, limit=LIMIT)
    return interpret(page.content)


def _ended(job: Any) -> int | None:
    moments = [
        moment
        for event, data in _messages(member(job, "status", "messages"))
        if event in _ENDS and (moment := whole_number(member(data, "timestamp"))) is not None
    ]
    return max(moments, default=None)


def _messages(messages: Any) -> Iterator[tuple[str, Any]]:
    for message in messages if isinstance(messages, list) else []:
        if isinstance(message, list) and len(message) == 2 and isinstance(message[0], str):
            yield message[0], message[1]


def _saved(job: Any) -> int:
    outputs = member(job, "outputs")
    images = [member(node, "images") for node in outputs.values()] if isinstance(outputs, dict) else []
    return sum(member(image, "type") == "output" for each in images if isinstance(each, list) for image in each)
