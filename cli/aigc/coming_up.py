"""Wait until an instance runs, and tell how far it is: one line that changes on a terminal, else a line for each change."""

import shutil
import sys
import time
from dataclasses import dataclass, field

from aigc.api import Json
from aigc.failures import Away, Failure, Interrupted, NotFound
from aigc.output import duration, plain, say
from aigc.team import Team

LOOK_EVERY_SECONDS = 1.0


@dataclass
class Progress:
    """The phases so far, with how long each took."""

    name: str
    is_terminal: bool = field(default_factory=sys.stderr.isatty)
    began: float = field(default_factory=time.monotonic)
    phase: str = ""
    phase_began: float = 0.0
    done: list[str] = field(default_factory=list)
    shown: str = ""

    def look(self, instance: Json) -> None:
        """Show where the instance is, in the portal's words."""
        now = time.monotonic()
        if instance["status"] != self.phase:
            if self.phase:
                self.done.append(f"{self.phase} {duration(now - self.phase_began)}")
            self.phase, self.phase_began = instance["status"], now
        place = instance.get("queue_position")
        text = f"{self.phase} (place {place})" if place else self.phase
        if self.is_terminal:
            self._replace(" > ".join([*self.done, f"{text} {duration(now - self.phase_began)}"]))
        elif text != self.shown:
            say(f"{self.name}: {text} (after {duration(now - self.began)})")
            self.shown = text

    def end(self) -> None:
        """Leave the last line as it is."""
        if self.is_terminal and self.shown:
            sys.stderr.write("\n")
            self.shown = ""

    def _replace(self, text: str) -> None:
        line = plain(f"{self.name}: {text}")[-shutil.get_terminal_size().columns + 1 :]  # the end is what is new
        sys.stderr.write(f"\r{line:<{len(self.shown)}}")
        sys.stderr.flush()
        self.shown = line


def wait_until_running(team: Team, instance: Json, *, seconds: int) -> Json:
    """Return the instance once it runs. Failure if it will not, Away when time is over, Interrupted at Ctrl-C."""
    progress = Progress(instance["name"])
    deadline = time.monotonic() + seconds
    try:
        while not _has_come(instance):
            progress.look(instance)
            if time.monotonic() > deadline:
                raise Away(f"{instance['name']} does not run after {duration(seconds)}. {_goes_on(instance)}")
            time.sleep(LOOK_EVERY_SECONDS)
            instance = _read(team, instance, deadline)
        progress.look(instance)
    except KeyboardInterrupt as error:
        raise Interrupted(f"No longer waiting. {_goes_on(instance)}") from error
    finally:
        progress.end()
    return instance


def _read(team: Team, instance: Json, deadline: float) -> Json:
    """Read it again; while the portal is away there is nothing new."""
    team.api.patience = min(team.api.patience, max(0.0, deadline - time.monotonic()))
    try:
        found: Json = team.get("instances", instance["id"])
    except NotFound as error:
        raise NotFound(f"{instance['name']} was deleted meanwhile.") from error
    except Away:
        return instance
    return found


def _has_come(instance: Json) -> bool:
    """Tell whether it runs; Failure if it will not come to that. The group knows what was asked last, unlike the state."""
    if instance["group"] == "failed":
        raise Failure(f"{instance['name']} did not come up. {_why(instance)} See `aigc logs {instance['id']}`.")
    if instance["desired_state"] != "running":
        raise Failure(f"{instance['name']} was asked to stop meanwhile. {_why(instance)}".strip())
    return bool(instance["group"] == "running")


def _why(instance: Json) -> str:
    return str(instance["reason"]["sentence"]) if instance["reason"] else ""


def _goes_on(instance: Json) -> str:
    return f"The launch goes on: see `aigc show {instance['id']}`; `aigc pause {instance['id']}` ends it."
