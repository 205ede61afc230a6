"""What an access token looks like: a prefix for its kind, eight characters that name it, thirty-two that are secret, a checksum.

The checksum lets anybody tell a token from a text that looks like one, without asking the portal: scanners of repositories do,
and so do we, so that a guess costs no query. Pure but for chance.
"""

import hashlib
import re
import secrets
import string
import zlib
from typing import NamedTuple

PREFIXES = {"personal": "aigc_pat_", "service": "aigc_svc_"}
KEY_ID_LENGTH = 8
SECRET_LENGTH = 32  # of 62 letters and digits: 190 bits, so that a fast hash is enough to store it
CHECKSUM_LENGTH = 6
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_FORM = re.compile(rf"(aigc_(?:pat|svc)_[A-Za-z0-9]{{{KEY_ID_LENGTH + SECRET_LENGTH}}})([A-Za-z0-9]{{{CHECKSUM_LENGTH}}})")


class NewSecret(NamedTuple):
    """The text that its maker sees once, and what is kept of it."""

    text: str
    key_id: str
    digest: str


def new_secret(kind: str) -> NewSecret:
    """Return a token that nobody has; `kind` is a key of PREFIXES."""
    characters = "".join(secrets.choice(_ALPHABET) for _ in range(KEY_ID_LENGTH + SECRET_LENGTH))
    named = PREFIXES[kind] + characters
    text = named + _checksum(named)
    return NewSecret(text, characters[:KEY_ID_LENGTH], digest(text))


def digest(text: str) -> str:
    """Return what the database keeps of a token."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_well_formed(text: str) -> bool:
    """Tell whether the text can be a token at all; nothing else is worth a question to the database."""
    found = _FORM.fullmatch(text)
    return found is not None and found[2] == _checksum(found[1])


def _checksum(text: str) -> str:
    """Write CRC-32 in base 62, as GitHub's tokens have it."""
    rest, digits = zlib.crc32(text.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        rest, digit = divmod(rest, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
