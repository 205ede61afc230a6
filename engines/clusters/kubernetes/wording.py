"""A cluster's words made fit to compare and to keep: what changes with every telling is taken out. Pure."""

import re

EVIDENCE_BYTES = 4096

_PREEMPTION = re.compile(r"[.,]?\s*(?:no new claims to deallocate,?|still not schedulable,?)?\s*preemption:.*", re.DOTALL)
_QUOTED = re.compile(r'"[^"]*"')
_VOLATILE = (
    (re.compile(r"^\(combined from similar events\): "), ""),
    (re.compile(r"(?<!sha256:)\b[0-9a-f]{32,}\b"), "…"),  # sandboxes and containers, new with every try
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)"), "…"),
    (re.compile(r"(?<=\d):\d+->"), "->"),  # the near end of a connection that failed
    (re.compile(r"(?i)\b(request ?id:?) ?[\w-]+"), r"\1 …"),
    (re.compile(r"\bback-off (?:\d+h)?(?:\d+m)?\d+s\b"), "back-off"),
)


def steady(message: str) -> str:
    """Return a message such that telling the same thing again gives the same text."""
    for pattern, instead in _VOLATILE:
        message = pattern.sub(instead, message)
    return message.strip()


def without_preemption(message: str) -> str:
    """Cut what the scheduler adds on making room by force: our workloads never do, and its words change between versions."""
    return _PREEMPTION.sub("", message).strip()


def without_names(message: str) -> str:
    """Take out what is quoted, and addresses that were quoted wherever they stand, so that no name is taken for a cause."""
    for address in {quoted for quoted in _QUOTED.findall(message) if "/" in quoted}:
        message = message.replace(address.strip('"'), "")
    return _QUOTED.sub('""', message)


def bounded(heading: str, tail: str = "") -> str:
    """Join a heading and the end of a log into at most EVIDENCE_BYTES of UTF-8: the heading's beginning, the log's end."""
    head = heading.strip().encode(errors="replace")[:EVIDENCE_BYTES]
    room = EVIDENCE_BYTES - len(head) - 1
    rest = tail.strip().encode(errors="replace")
    kept = rest[-room:] if room > 0 else b""
    return "\n".join(part.decode(errors="ignore") for part in (head, kept) if part)
