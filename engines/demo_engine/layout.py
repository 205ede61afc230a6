"""Which version's layout a data directory has, and who may start on it."""

from pathlib import Path

from engines.demo_engine import files

MARKER = ".loom-version"
VERSIONS = (1, 2)


class WrongLayout(Exception):
    """The data directory belongs to another version; the message says what to do."""


def read_version(data_dir: Path) -> int | None:
    """The layout's version, or None for a directory that no Loom has used."""
    marker = data_dir / MARKER
    if marker.is_file():
        text = marker.read_text(encoding="ascii", errors="replace").strip()
        if text not in ("1", "2"):
            raise WrongLayout(f"{marker} says {text!r}, which no version of Loom writes. Restore it from a backup.")
        return int(text)
    if (data_dir / "library").is_dir():
        return 2
    return 1 if (data_dir / "outputs").is_dir() else None


def mark_version(data_dir: Path, version: int) -> None:
    """Write the marker in one step."""
    files.write_file(data_dir, data_dir / MARKER, f"{version}\n".encode())


def claim_directory(data_dir: Path, version: int) -> None:
    """Check that `version` may use the directory, and mark a new one."""
    found = read_version(data_dir)
    if found is None or (found == version and not (data_dir / MARKER).is_file()):
        mark_version(data_dir, version)
    elif found == 1 and version == 2:
        raise WrongLayout(
            f"{data_dir} has the layout of version 1. Start version 1, or first run "
            f"`python -m engines.demo_engine.migrate --data-dir {data_dir}`."
        )
    elif found != version:
        raise WrongLayout(f"{data_dir} has the layout of version 2, which version 1 cannot read. Start version 2.")
