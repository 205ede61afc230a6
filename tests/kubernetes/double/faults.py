"""Trouble on request: refusals, delays and cut connections, for chosen calls, a number of times or with a probability."""

import random
import re
from dataclasses import dataclass, field


@dataclass
class Fault:
    """What goes wrong, with which calls."""

    verb: str  # of Kubernetes (`list`, `patch`) or HTTP (`PATCH`); empty for all
    path: re.Pattern[str]
    status: int = 0
    retry_after: float | None = None
    delay: float = 0
    drop: bool = False
    after: bool = False  # the call takes effect, then it fails: the caller cannot know
    times: int | None = None
    probability: float = 1
    user: str = "portal"
    dice: random.Random = field(default_factory=random.Random)
    hits: int = 0

    def strikes(self, verbs: tuple[str, str], path: str, user: str) -> bool:
        if self.times is not None and self.hits >= self.times:
            return False
        if (self.verb and self.verb not in verbs) or user != self.user or not self.path.search(path):
            return False
        if self.dice.random() >= self.probability:
            return False
        self.hits += 1
        return True


class Faults:
    """Every fault there is now; the first that fits a call counts."""

    def __init__(self) -> None:
        self.present: list[Fault] = []

    def add(
        self,
        *,
        verb: str = "",
        path: str = "",
        status: int = 0,
        retry_after: float | None = None,
        delay: float = 0,
        drop: bool = False,
        after: bool = False,
        times: int | None = None,
        probability: float = 1,
        seed: int | None = None,
        user: str = "portal",
    ) -> Fault:
        """Let calls fail from now on. `path` is a regular expression searched in the path; `seed` makes chance repeatable."""
        chosen = re.compile(path)
        fault = Fault(verb, chosen, status, retry_after, delay, drop, after, times, probability, user, random.Random(seed))
        self.present.append(fault)
        return fault

    def clear(self) -> None:
        self.present.clear()

    def strike(self, verbs: tuple[str, str], path: str, user: str) -> Fault | None:
        return next((fault for fault in list(self.present) if fault.strikes(verbs, path, user)), None)
