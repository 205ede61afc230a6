"""Slugs and version names that the same GameServerSet gets every time, whatever stands beside it."""

import hashlib
import re

_LONGEST = 40
_DIGEST = 6


def short_hash(text: str) -> str:
    """A few characters that differ where the text differs."""
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]


def slug(text: str) -> str:
    """A legal slug of the catalog; one that had to be cut ends in a hash of the whole."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if len(plain) <= _LONGEST:
        return plain
    return f"{plain[: _LONGEST - _DIGEST - 1].rstrip('-')}-{short_hash(text)}"


def version_name(image: str) -> str:
    """The image's tag; a digest where that is all there is; `latest` where there is neither, as Kubernetes takes it."""
    name, _, digest = image.partition("@sha256:")
    tag = name.rpartition("/")[2].partition(":")[2]
    word = tag or (f"sha256-{digest[:12]}" if digest else "latest")
    legal = re.sub(r"[^A-Za-z0-9._+-]", "-", word).lstrip("._+-")
    return legal if len(legal) <= _LONGEST else f"{legal[: _LONGEST - _DIGEST - 1]}-{short_hash(word)}"


def mark(name: str) -> str:
    """One or two characters for an icon."""
    letters = re.sub(r"[^A-Za-z0-9]", "", name) or "E"
    return letters[0].upper() + letters[1:2].lower()


def spell_size(cpu_millis: int, ram_mib: int) -> str:
    """The size of a class within its slug, such as `8c-32g`."""
    cores = f"{cpu_millis // 1000}c" if cpu_millis % 1000 == 0 else f"{cpu_millis}m"
    memory = f"{ram_mib // 1024}g" if ram_mib % 1024 == 0 else f"{ram_mib}mi"
    return f"{cores}-{memory}"
