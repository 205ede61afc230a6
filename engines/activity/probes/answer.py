"""What an engine says of itself when it is asked whether it works. Pure."""

from dataclasses import dataclass
from enum import StrEnum

EVIDENCE_LENGTH = 200


class Busy(StrEnum):
    """Whether an engine works. UNKNOWN is never rest."""

    BUSY = "busy"
    FREE = "free"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """What was heard, by which signal, and the words or numbers behind it for operators.

    `counts_running` is False where FREE only means that nothing waits: such an engine rests if no stream of work is open either
    (recorded.Recorded) and no load says otherwise.
    """

    busy: Busy
    signal: str  # such as "comfyui queue"; the same for the same kind of answer
    evidence: str = ""
    counts_running: bool = True


def _plain(evidence: str) -> str:
    """What an engine said can be anything, and must fit a database and a page."""
    return "".join(each if each.isprintable() else " " for each in evidence[:EVIDENCE_LENGTH])


def busy(signal: str, evidence: str) -> Answer:
    """It works, or has work waiting."""
    return Answer(Busy.BUSY, signal, _plain(evidence))


def free(signal: str, evidence: str, *, counts_running: bool = True) -> Answer:
    """It neither works nor has work waiting; with counts_running=False, only the latter."""
    return Answer(Busy.FREE, signal, _plain(evidence), counts_running)


def unknown(signal: str, evidence: str) -> Answer:
    """It did not say."""
    return Answer(Busy.UNKNOWN, signal, _plain(evidence))
