"""`python -m engines.demo_engine.migrate --data-dir DIR`: version 1's layout to version 2's.

Version 1's files stay until everything is in the new library and the directory is marked as version 2. It may be killed
at any moment and run again; run on a directory that is done already, it does nothing. Prints one JSON object per line.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from engines.demo_engine import files, layout
from engines.demo_engine.library_v1 import picture_paths
from engines.demo_engine.library_v2 import IndexedLibrary

Report = Callable[[dict[str, object]], None]

BROUGHT_OVER = "CREATE TABLE IF NOT EXISTS brought_over (source TEXT PRIMARY KEY, sha256 TEXT NOT NULL)"


class DamagedCopy(Exception):
    """A file of the new library does not hold what its name says."""


def migrate(data_dir: Path, report: Report) -> None:
    """Bring a data directory to version 2; `report` hears of every step."""
    version = layout.read_version(data_dir)
    if version is None:
        layout.mark_version(data_dir, 2)
    if version != 1 and not (data_dir / "outputs").is_dir():
        report({"step": "done", "pictures": 0, "already": version == 2})
        return
    library = IndexedLibrary(data_dir)
    try:
        library.connection.execute(BROUGHT_OVER)
        if version == 1:
            bring_over(data_dir, library, report)
            _check(library, report)
            layout.mark_version(data_dir, 2)
            report({"step": "marked", "version": 2})
        count = _remove_old(data_dir, library, report)
        report({"step": "done", "pictures": count, "already": False})
    finally:
        library.close()


def bring_over(data_dir: Path, library: IndexedLibrary, report: Report) -> None:
    """Give every version 1 picture a place and a row in the library; version 1's files stay as they are."""
    outputs = data_dir / "outputs"
    sources = {str(path.relative_to(outputs)): path for path in reversed(picture_paths(outputs))}
    report({"step": "found", "pictures": len(sources)})
    _drop_vanished(library, sources)
    known = dict(library.connection.execute("SELECT source, sha256 FROM brought_over"))
    for number, (source, path) in enumerate(sources.items(), start=1):
        sha256 = _sha256(path)
        if known.get(source) != sha256 or not library.place_of(sha256).is_file():
            # First of all, so that no killed run leaves a picture here whose origin nobody knows.
            library.connection.execute("INSERT OR REPLACE INTO brought_over VALUES (?, ?)", [source, sha256])
            _place(data_dir, path, library.place_of(sha256))
            library.index_file(library.place_of(sha256))
        report({"step": "picture", "number": number, "of": len(sources), "source": source, "sha256": sha256})


def _drop_vanished(library: IndexedLibrary, sources: dict[str, Path]) -> None:
    """Pictures that were deleted in version 1 after an earlier, killed run must not come back."""
    rows = library.connection.execute("SELECT source, sha256 FROM brought_over").fetchall()
    wanted = {sha256 for source, sha256 in rows if source in sources}
    for source, sha256 in rows:
        if source not in sources:
            if sha256 not in wanted and library.place_of(sha256).is_file():
                library.delete(sha256)
            library.connection.execute("DELETE FROM brought_over WHERE source = ?", [source])


def _place(data_dir: Path, source: Path, target: Path) -> None:
    """A second name for the same file where the file system can, else a copy; either way at once or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError:
        with source.open("rb") as old, files.new_file(data_dir, target) as new:
            shutil.copyfileobj(old, new)
    files.sync_directory(target.parent)


def _check(library: IndexedLibrary, report: Report) -> None:
    rows = library.connection.execute("SELECT DISTINCT sha256 FROM brought_over").fetchall()
    for (sha256,) in rows:
        if _sha256(library.place_of(sha256)) != sha256:
            raise DamagedCopy(f"{library.place_of(sha256)} is damaged. Nothing was removed; delete that file and run this again.")
    report({"step": "checked", "pictures": len(rows)})


def _remove_old(data_dir: Path, library: IndexedLibrary, report: Report) -> int:
    """Only what was brought over; other files people put there stay."""
    outputs = data_dir / "outputs"
    rows = library.connection.execute("SELECT source, sha256 FROM brought_over ORDER BY source").fetchall()
    for source, _ in rows:
        (outputs / source).unlink(missing_ok=True)
        report({"step": "removed", "source": source})
    # Before the folders go: without them the next run would see nothing left to do.
    library.connection.execute("DROP TABLE brought_over")
    for folder in [*outputs.iterdir(), outputs] if outputs.is_dir() else []:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    return len({sha256 for _, sha256 in rows})


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _print(progress: dict[str, object]) -> None:
    print(json.dumps(progress), flush=True)  # noqa: T201  # the hook's protocol


def main(arguments: list[str] | None = None) -> int:
    """0 when the directory is at version 2, 1 when that failed, 3 for a foreign layout, 4 while an engine uses it."""
    parser = argparse.ArgumentParser(
        "python -m engines.demo_engine.migrate", description="Bring Loom 1's data to Loom 2's layout."
    )
    parser.add_argument("--data-dir", type=Path, required=True)
    data_dir: Path = parser.parse_args(arguments).data_dir
    try:
        with files.lock_directory(data_dir):
            files.remove_leftovers(data_dir)
            migrate(data_dir, _print)
    except layout.WrongLayout as error:
        return _fail(3, error)
    except files.DirectoryInUse as error:
        return _fail(4, error)
    except (OSError, files.DiskFull, DamagedCopy) as error:
        return _fail(1, error)
    return 0


def _fail(code: int, error: Exception) -> int:
    _print({"step": "failed", "error": str(error)})
    return code


if __name__ == "__main__":
    sys.exit(main())
