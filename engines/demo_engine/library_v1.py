"""Version 1: `outputs/<day>/<number>-<seed>.png`; the files are all there is, their parameters are inside them."""

import re
from datetime import datetime
from pathlib import Path
from threading import Lock

from engines.demo_engine import files, png
from engines.demo_engine.library import (
    NoSuchPicture,
    NotInThisVersion,
    Page,
    Picture,
    Wanted,
    created_at_of,
    parameters_of,
)

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_NAME = re.compile(r"(\d{5,})-\d+\.png")


class DayFolders:
    """The picture store of version 1."""

    def __init__(self, data_dir: Path):
        self._data_dir = data_dir
        self._outputs = data_dir / "outputs"
        self._saving = Lock()

    def save(self, png: bytes, seed: int, created_at: datetime) -> Picture:
        """Store under the next number of the day."""
        with self._saving:
            day = self._outputs / created_at.strftime("%Y-%m-%d")
            numbers = [int(name.split("-")[0]) for name in _names(day)]
            path = day / f"{max(numbers, default=0) + 1:05}-{seed}.png"
            files.write_file(self._data_dir, path, png)
        return self._read(path)

    def list_pictures(self, wanted: Wanted) -> Page:
        """Newest first: by day, then by number."""
        if wanted.search or wanted.favourites_only:
            raise NotInThisVersion("Searching and favourites need version 2 of Loom.")
        paths = picture_paths(self._outputs)
        chosen = paths[wanted.offset : wanted.offset + wanted.limit]
        return Page([self._read(path) for path in chosen], len(paths))

    def path_of(self, picture_id: str) -> Path:
        """Only ids of exactly the form `<day>/<name>` lead to a file."""
        day, _, name = picture_id.partition("/")
        path = self._outputs / day / name
        if not (_DAY.fullmatch(day) and _NAME.fullmatch(name) and path.is_file()):
            raise NoSuchPicture(picture_id)
        return path

    def delete(self, picture_id: str) -> None:
        """Remove the file, and its day once it is empty."""
        path = self.path_of(picture_id)
        with self._saving:
            path.unlink()
            files.sync_directory(path.parent)
            if not any(path.parent.iterdir()):
                path.parent.rmdir()

    def annotate(self, picture_id: str, favourite: bool | None, tags: list[str] | None) -> Picture:  # noqa: ARG002  # the Library's form
        """There is no place for either."""
        raise NotInThisVersion("Favourites and tags need version 2 of Loom.")

    def _read(self, path: Path) -> Picture:
        facts = png.read_facts(path)
        return Picture(
            picture_id=f"{path.parent.name}/{path.name}",
            created_at=created_at_of(facts, path),
            parameters=parameters_of(facts),
            size_bytes=path.stat().st_size,
        )


def picture_paths(outputs: Path) -> list[Path]:
    """Every picture of a version 1 directory, newest first; files of other names are not Loom's."""
    if not outputs.is_dir():
        return []
    days = sorted((day for day in outputs.iterdir() if _DAY.fullmatch(day.name) and day.is_dir()), reverse=True)
    return [day / name for day in days for name in sorted(_names(day), key=lambda name: int(name.split("-")[0]), reverse=True)]


def _names(day: Path) -> list[str]:
    return [path.name for path in day.iterdir() if _NAME.fullmatch(path.name)] if day.is_dir() else []
