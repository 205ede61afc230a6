"""AUTOMATIC1111, Forge, SD.Next and what speaks their API: the job that runs, and the tasks that wait.

`state.begin()` sets job_count to -1 until the number is known, `end()` sets 0 and an empty job (modules/shared_state.py).
`/internal/pending-tasks` (modules/progress.py) counts what waits, not what runs, and is there without --api too.
"""

from typing import Any

from engines.activity.probes.answer import Answer, busy, free, unknown
from engines.activity.probes.http import get_json
from engines.activity.probes.reading import member, refusal, whole_number

SIGNAL = "sdwebui progress"
WAITING = "sdwebui pending tasks"


def ask(address: str, *, deadline: float) -> Answer:
    """What waits is asked first: a task that begins between two questions is then seen by one of them. Raises NoAnswer."""
    page = get_json(address, "/internal/pending-tasks", deadline=deadline)
    waiting = whole_number(member(page.content, "size")) or 0
    if waiting > 0:
        return busy(WAITING, f"{waiting} waiting")
    # With the picture so far, which is the default, the engine would decode one for each question.
    page = get_json(address, "/sdapi/v1/progress?skip_current_image=true", deadline=deadline)
    return interpret(page.content) if page.status == 200 else unknown(SIGNAL, refusal(page.status))


def interpret(content: Any) -> Answer:
    """Read the answer of /sdapi/v1/progress."""
    count, job = whole_number(member(content, "state", "job_count")), member(content, "state", "job")
    if count is None or not isinstance(job, str):
        return unknown(SIGNAL, "no state.job and state.job_count in the answer")
    evidence = f"job_count {count}, job {job!r}"
    return busy(SIGNAL, evidence) if count or job else free(SIGNAL, evidence)
