"""Version 2: `library/images/<aa>/<sha256>.png`, and an index that can always be made again from the files."""

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock

from engines.demo_engine import files, png
from engines.demo_engine.library import NoSuchPicture, Page, Picture, Wanted, created_at_of, parameters_of

_SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS pictures (
  sha256 TEXT PRIMARY KEY, created_at TEXT NOT NULL, prompt TEXT NOT NULL, parameters TEXT NOT NULL,
  size_bytes INTEGER NOT NULL, favourite INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS pictures_by_age ON pictures (created_at DESC, sha256);
CREATE TABLE IF NOT EXISTS tags (
  sha256 TEXT NOT NULL REFERENCES pictures ON DELETE CASCADE, tag TEXT NOT NULL, PRIMARY KEY (sha256, tag)
);
COMMIT;
"""
_SHA256 = re.compile(r"[0-9a-f]{64}")


class IndexedLibrary:
    """The picture store of version 2. The files are the truth: opening it makes the index agree with them."""

    def __init__(self, data_dir: Path):
        self._data_dir = data_dir
        self.images = data_dir / "library" / "images"
        self._lock = RLock()
        self.images.mkdir(parents=True, exist_ok=True)
        self.connection = sqlite3.connect(data_dir / "library" / "index.sqlite3", check_same_thread=False, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = DELETE")
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.execute("PRAGMA foreign_keys = ON")
        self.connection.executescript(_SCHEMA)
        self._agree_with_files()

    def close(self) -> None:
        """Let go of the index."""
        self.connection.close()

    def save(self, png: bytes, seed: int, created_at: datetime) -> Picture:  # noqa: ARG002  # the Library's form
        """File first, then its row: a kill in between is mended at the next start."""
        sha256 = hashlib.sha256(png).hexdigest()
        path = self.place_of(sha256)
        files.write_file(self._data_dir, path, png)
        try:
            self.index_file(path)
        except files.DiskFull:
            path.unlink()
            raise
        return self._picture(sha256)

    def list_pictures(self, wanted: Wanted) -> Page:
        """Every word of the search must be in the prompt or a tag."""
        where, values = ["1"], []
        for word in wanted.search.lower().split():
            pattern = "%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
            where.append("(prompt LIKE ? ESCAPE '\\' OR sha256 IN (SELECT sha256 FROM tags WHERE tag LIKE ? ESCAPE '\\'))")
            values += [pattern, pattern]
        if wanted.favourites_only:
            where.append("favourite")
        condition = " AND ".join(where)
        with self._lock:
            total = self.connection.execute(f"SELECT count(*) FROM pictures WHERE {condition}", values).fetchone()[0]  # noqa: S608  # no values inside
            rows = self.connection.execute(
                f"SELECT sha256 FROM pictures WHERE {condition} ORDER BY created_at DESC, sha256 LIMIT ? OFFSET ?",  # noqa: S608  # no values inside
                [*values, wanted.limit, wanted.offset],
            ).fetchall()
            return Page([self._picture(sha256) for (sha256,) in rows], total)

    def path_of(self, picture_id: str) -> Path:
        """Only a SHA-256 leads to a file."""
        path = self.place_of(picture_id)
        if not (_SHA256.fullmatch(picture_id) and path.is_file()):
            raise NoSuchPicture(picture_id)
        return path

    def delete(self, picture_id: str) -> None:
        """File first, then its row: a kill in between is mended at the next start."""
        path = self.path_of(picture_id)
        with self._writing() as connection:
            path.unlink()
            files.sync_directory(path.parent)
            connection.execute("DELETE FROM pictures WHERE sha256 = ?", [picture_id])

    def annotate(self, picture_id: str, favourite: bool | None, tags: list[str] | None) -> Picture:
        """Set what is not None."""
        self.path_of(picture_id)
        with self._writing() as connection:
            if favourite is not None:
                connection.execute("UPDATE pictures SET favourite = ? WHERE sha256 = ?", [favourite, picture_id])
            if tags is not None:
                connection.execute("DELETE FROM tags WHERE sha256 = ?", [picture_id])
                connection.executemany("INSERT INTO tags VALUES (?, ?)", [(picture_id, tag) for tag in sorted(set(tags))])
        return self._picture(picture_id)

    def place_of(self, sha256: str) -> Path:
        """Where the file of that content is or belongs."""
        return self.images / sha256[:2] / f"{sha256}.png"

    def index_file(self, path: Path) -> None:
        """Add the row of a file, from what is inside the file; does nothing if there is one."""
        facts = png.read_facts(path)
        parameters = parameters_of(facts)
        created_at = created_at_of(facts, path).isoformat()
        row = [path.stem, created_at, str(parameters.get("prompt", "")), json.dumps(parameters), path.stat().st_size]
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO pictures (sha256, created_at, prompt, parameters, size_bytes) "
                "VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                row,
            )

    def _agree_with_files(self) -> None:
        on_disk = {path.stem: path for path in self.images.glob("??/*.png") if _SHA256.fullmatch(path.stem)}
        indexed = {sha256 for (sha256,) in self.connection.execute("SELECT sha256 FROM pictures")}
        with self._writing() as connection:
            connection.executemany("DELETE FROM pictures WHERE sha256 = ?", [(sha256,) for sha256 in indexed - on_disk.keys()])
        for sha256 in on_disk.keys() - indexed:
            self.index_file(on_disk[sha256])

    def _picture(self, sha256: str) -> Picture:
        with self._lock:
            row = self.connection.execute(
                "SELECT created_at, parameters, size_bytes, favourite FROM pictures WHERE sha256 = ?", [sha256]
            ).fetchone()
            tags = self.connection.execute("SELECT tag FROM tags WHERE sha256 = ? ORDER BY tag", [sha256]).fetchall()
        if row is None:
            raise NoSuchPicture(sha256)
        created_at, parameters, size_bytes, favourite = row
        moment = datetime.fromisoformat(created_at).astimezone(UTC)
        return Picture(sha256, moment, json.loads(parameters), size_bytes, bool(favourite), tuple(tag for (tag,) in tags))

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; a full disk is DiskFull."""
        with self._lock:
            try:
                self.connection.execute("BEGIN IMMEDIATE")
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException as error:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                    raise files.DiskFull from error
                raise
