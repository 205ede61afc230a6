"""Where the portal is, and who asks: from variables of the environment, else from what `aigc login` stored.

The file is readable by its owner alone. A stored token is sent to the portal it was stored for and to no other, whatever AIGC_URL
says.
"""

import ipaddress
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import typer

from aigc.failures import Failure, Misused, NotSignedIn


@dataclass(frozen=True, slots=True)
class Stored:
    """What `aigc login` keeps; empty texts for what it does not know."""

    address: str = ""
    token: str = ""
    tenant: str = ""

    def __repr__(self) -> str:
        return f"Stored({self.address!r}, tenant={self.tenant!r})"


@dataclass(frozen=True, slots=True)
class Access:
    """A portal and the token for it."""

    address: str
    token: str

    def __repr__(self) -> str:
        return f"Access({self.address!r})"


def settings_path() -> Path:
    """Return the file in the directory that the platform has for settings; it need not exist."""
    return Path(typer.get_app_dir("aigc")) / "settings.json"


def load() -> Stored:
    """Return what is stored; nothing is if there is no file."""
    path = settings_path()
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Stored()
    except (OSError, ValueError) as error:
        raise Failure(f"{path} cannot be read. Delete it, and sign in again with `aigc login`.") from error
    known = found if isinstance(found, dict) else {}
    return Stored(**{name: str(known.get(name, "")) for name in ("address", "token", "tenant")})


def save(stored: Stored) -> Path:
    """Store it, for its owner alone from the first byte on; a reader sees the old or the new, never a part."""
    path = settings_path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".settings-")  # made with mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(stored), file, indent=2)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    return path


def forget() -> bool:
    """Delete what is stored; False if there was nothing."""
    path = settings_path()
    known = path.exists()
    path.unlink(missing_ok=True)
    return known


def access() -> Access:
    """Return the portal to ask and the token to show it; NotSignedIn if one of them is not known."""
    stored = load()
    wanted = os.environ.get("AIGC_URL", "") or stored.address
    if not wanted:
        raise NotSignedIn("You are not signed in. Run `aigc login`, or set AIGC_URL and AIGC_TOKEN.")
    address = normal_address(wanted)
    token = os.environ.get("AIGC_TOKEN", "").strip() or (stored.token if address == stored.address else "")
    if not token:
        raise NotSignedIn(f"You are not signed in at {address}. Run `aigc login {address}`, or set AIGC_TOKEN.")
    return Access(address, token)


def normal_address(text: str) -> str:
    """Return `scheme://host[:port]` of what somebody typed or copied from a browser; Misused for what is no address.

    A token must not cross a network in clear text: plain HTTP is for this machine alone, unless AIGC_ALLOW_HTTP is set.
    """
    written = text.strip()
    parts = urlsplit(written if "://" in written else f"https://{written}")
    if not _names_a_site(parts):
        raise Misused(f"{written or 'Nothing'} is no address of a portal. It looks like https://portal.example.com.")
    if parts.scheme == "http" and not _is_here(parts.hostname or "") and not os.environ.get("AIGC_ALLOW_HTTP"):
        raise Misused(f"{written} would send your token unencrypted. Use https, or set AIGC_ALLOW_HTTP=1 if that is safe.")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _names_a_site(parts: SplitResult) -> bool:
    try:
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:  # of the port
        return False


def _is_here(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
