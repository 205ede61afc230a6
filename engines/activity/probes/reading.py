"""What probes have in common when they read an engine's JSON, which may be anything. Pure."""

from typing import Any


def member(content: Any, *names: str) -> Any:
    """The value at these names of nested objects; None if there is none."""
    for name in names:
        content = content.get(name) if isinstance(content, dict) else None
    return content


def whole_number(value: Any) -> int | None:
    """A JSON integer; true and false are none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def refusal(status: int) -> str:
    """Words for an answer that is not 200."""
    return f"HTTP {status}" + {401: ", it asks for a password", 403: ", it refuses", 404: ", it has no such page"}.get(status, "")
