"""What server and client of a file room say to each other: entries and refusals as JSON."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from engines.files.base import Entry, FileRefusal, Kind, Refusal

ENTRY_HEADER = "X-Aigc-Entry"
"""Beside a file's bytes: its entry, as ASCII JSON."""
STATUS = {
    Refusal.BAD_PATH: 400,
    Refusal.BAD_NAME: 400,
    Refusal.BAD_PIECE: 400,
    Refusal.CUT_OFF: 400,
    Refusal.DENIED: 403,
    Refusal.NOT_FOUND: 404,
    Refusal.NOT_A_FOLDER: 409,
    Refusal.NOT_A_FILE: 409,
    Refusal.EXISTS: 409,
    Refusal.LOST: 409,
    Refusal.TOO_MANY: 413,
    Refusal.UNAVAILABLE: 503,
    Refusal.FULL: 507,
}


def from_entry(entry: Entry) -> dict[str, Any]:
    """Write an entry as JSON."""
    return asdict(entry) | {"modified_at": entry.modified_at.isoformat()}


def to_entry(data: dict[str, Any]) -> Entry:
    """Read an entry."""
    return Entry(**data | {"kind": Kind(data["kind"]), "modified_at": datetime.fromisoformat(data["modified_at"])})


def from_refusal(refusal: FileRefusal) -> dict[str, str]:
    """Write a refusal as JSON."""
    return {"refusal": refusal.refusal, "path": refusal.path}


def to_refusal(data: dict[str, str]) -> FileRefusal:
    """Read a refusal; ValueError or KeyError for what is none."""
    return FileRefusal(Refusal(data["refusal"]), data["path"])
