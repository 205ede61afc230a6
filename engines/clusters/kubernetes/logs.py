"""An engine's output from the API's log endpoint, whole lines at a time.

The endpoint can begin at a full second only (`sinceTime`), so lines carry their timestamps, and a cursor is the timestamp of the
last line that was read and how many lines had it. A newer run's lines are newer, so an old cursor begins the new log at its
beginning.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from engines.clusters.base import LogChunk
from engines.clusters.kubernetes import paths
from engines.clusters.kubernetes.labels import ENGINE_CONTAINER
from engines.clusters.kubernetes.rest import ApiError, Rest

_PIECES = (262_144, 4_194_304)  # bytes asked for, more only if one second has filled the piece before
_BYTES_PER_LINE = 30  # lines are asked for by number and cut by size: at least so long on average
_NOTHING_THERE = frozenset({400, 404})  # no container yet, no Pod any more


@dataclass(frozen=True)
class Line:
    """One line: when it was written, in RFC 3339 with nanoseconds as the runtime wrote it, and its text with its end."""

    at: str
    text: str


def read(rest: Rest, namespace: str, pod: str, *, cursor: str, tail_bytes: int) -> LogChunk:
    """Read on from the cursor, or the last `tail_bytes` without one."""
    path = paths.member("pods", namespace, pod) + "/log"
    try:
        return _read_on(rest, path, cursor) if cursor else _read_tail(rest, path, tail_bytes)
    except ApiError as error:
        if error.status in _NOTHING_THERE:
            return LogChunk("", cursor)
        raise


def _read_tail(rest: Rest, path: str, tail_bytes: int) -> LogChunk:
    count = max(10, tail_bytes // _BYTES_PER_LINE)
    limit = max(_PIECES[0], 4 * tail_bytes)
    while True:
        said = rest.text(path, container=ENGINE_CONTAINER, timestamps="true", tailLines=count, limitBytes=limit)
        if len(said) < limit or count == 1:
            break
        count = max(1, count // 8)  # the limit cuts the end, which is what was asked for
    lines = list(_lines(said, is_whole=True))
    text = "".join(line.text for line in lines).encode()[-tail_bytes:].decode(errors="ignore")
    return LogChunk(text, _cursor(lines, ""))


def _read_on(rest: Rest, path: str, cursor: str) -> LogChunk:
    since = cursor.partition("#")[0].partition(".")[0].removesuffix("Z") + "Z"
    for limit in _PIECES:
        said = rest.text(path, container=ENGINE_CONTAINER, timestamps="true", sinceTime=since, limitBytes=limit)
        lines = list(_lines(said, is_whole=len(said) < limit))
        new = list(_after(lines, cursor))
        if new or len(said) < limit:
            return LogChunk("".join(line.text for line in new), _cursor(lines, cursor) if new else cursor)
    return _read_tail(rest, path, _PIECES[0])  # it writes more in a second than anybody reads: go on at its end


def _lines(said: bytes, *, is_whole: bool) -> Iterator[Line]:
    """Split what was said; the last line is left out where the size limit cut it, unless it is all there is."""
    lines = said.split(b"\n")
    ended, last = lines[:-1], lines[-1]
    for line in ended:
        yield _line(line.decode(errors="replace") + "\n")
    if last and (is_whole or not ended):
        yield _line(last.decode(errors="replace"))


def _line(text: str) -> Line:
    at, _, rest = text.partition(" ")
    return Line(at, rest)


def _after(lines: list[Line], cursor: str) -> Iterator[Line]:
    at, _, count = cursor.partition("#")
    skip = int(count) if count.isdigit() else 1
    for line in lines:
        if _moment(line.at) > _moment(at):
            yield line
        elif line.at == at:
            skip -= 1
            if skip < 0:
                yield line


def _moment(at: str) -> tuple[str, str]:
    """Order timestamps: trailing zeros of the fraction are left out by who writes them."""
    second, _, fraction = at.removesuffix("Z").partition(".")
    return second, fraction.ljust(9, "0")


def _cursor(lines: list[Line], old: str) -> str:
    if not lines:
        return old
    last = lines[-1].at
    return f"{last}#{sum(line.at == last for line in lines)}"
