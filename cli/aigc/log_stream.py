"""An engine's log, followed: server-sent events with a cursor, so that nothing is lost when the connection is."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from aigc.api import Json
from aigc.failures import Away
from aigc.team import Team

QUIET_SECONDS = 40.0
"""The portal says at least every 15 seconds that it is still there."""

AGAIN_SECONDS = 0.5


@dataclass
class Event:
    """One server-sent event; `text` is None for a comment, which only says that the portal is there."""

    cursor: str
    text: str | None


def follow(team: Team, instance: Json, cursor: str) -> Iterator[str]:
    """Yield what the engine writes after `cursor`, until it has ended."""
    path = team.path("instances", instance["id"], "log")
    while True:
        came = False
        try:
            headers = {"Last-Event-ID": cursor, "Accept": "text/event-stream, application/problem+json"}
            with team.api.streamed(f"{path}/stream", headers=headers, quiet_seconds=QUIET_SECONDS) as lines:
                for event in events(lines):
                    if event.text is None:
                        break  # quiet: has it ended?
                    came, cursor = True, event.cursor or cursor
                    yield event.text
        except (httpx.TransportError, Away):
            time.sleep(AGAIN_SECONDS)  # the next read waits for the portal, or says that it is away
        if not came:
            rest = team.api.get(path, cursor=cursor)
            cursor = rest["cursor"]
            yield rest["text"]
            if rest["ended"]:
                return


def events(lines: Iterator[str]) -> Iterator[Event]:
    """Yield events as they come, with `data` read as JSON text."""
    cursor, data = "", None
    for line in lines:
        if line.startswith(":"):
            yield Event(cursor, None)
        elif line.startswith("id:"):
            cursor = line.removeprefix("id:").strip()
        elif line.startswith("data:"):
            data = line.removeprefix("data:").strip()
        elif not line and data is not None:
            yield Event(cursor, str(json.loads(data)))
            data = None


def last_lines(text: str, count: int | None) -> str:
    """Return the last lines of a text, all of them for None."""
    return text if count is None else "".join(text.splitlines(keepends=True)[-count:] if count else [])
