"""What both versions' picture stores can do; each version keeps its files its own way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol


class NoSuchPicture(Exception):
    """No picture of that id."""


class NotInThisVersion(Exception):
    """Searching, favourites and tags came with version 2."""


@dataclass(frozen=True)
class Picture:
    """A saved picture; `picture_id` is part of its address, `created_at` in UTC."""

    picture_id: str
    created_at: datetime
    parameters: Mapping[str, Any]
    size_bytes: int
    favourite: bool = False
    tags: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For the page; addresses are relative to the engine's root."""
        stamp = int(self.created_at.timestamp() * 1000)
        return {
            "id": self.picture_id,
            "url": f"api/images/{self.picture_id}?t={stamp}",
            "thumbnail_url": f"api/images/{self.picture_id}?t={stamp}&thumbnail=1",
            "created_at": self.created_at.isoformat(),
            "parameters": dict(self.parameters),
            "size_bytes": self.size_bytes,
            "favourite": self.favourite,
            "tags": list(self.tags),
        }


@dataclass(frozen=True)
class Wanted:
    """Which pictures to list, newest first."""

    offset: int = 0
    limit: int = 24
    search: str = ""
    favourites_only: bool = False


@dataclass(frozen=True)
class Page:
    """Pictures of one page and how many there are in all."""

    pictures: list[Picture] = field(default_factory=list)
    total: int = 0


class Library(Protocol):
    """Every method may be called from any thread and may touch the disk."""

    def save(self, png: bytes, seed: int, created_at: datetime) -> Picture:
        """Store one picture durably, or raise DiskFull and change nothing."""

    def list_pictures(self, wanted: Wanted) -> Page:
        """Raise NotInThisVersion for a search or favourites where there are none."""

    def path_of(self, picture_id: str) -> Path:
        """The file, or NoSuchPicture; never a path outside the library."""

    def delete(self, picture_id: str) -> None:
        """Remove the picture for good, or raise NoSuchPicture."""

    def annotate(self, picture_id: str, favourite: bool | None, tags: list[str] | None) -> Picture:
        """Set what is not None."""


def created_at_of(facts: Mapping[str, Any], path: Path) -> datetime:
    """When the picture says it was made, or else its file's time."""
    try:
        return datetime.fromisoformat(str(facts.get("created_at"))).astimezone(UTC)
    except ValueError:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def parameters_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters inside a `loom` chunk."""
    parameters = facts.get("parameters")
    return parameters if isinstance(parameters, dict) else {}
