"""Keys that an installation makes for itself when none are configured."""

import os
import secrets
from pathlib import Path


def own_secret(data_dir: Path, name: str) -> str:
    """Return the secret `name` of this data directory, made on first use, readable by its owner alone.

    Several processes may ask for the first time at once: the first complete file wins and all read that one.
    """
    path = data_dir / "secrets" / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f".{name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)  # atomic, and fails if another process was first
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text()
