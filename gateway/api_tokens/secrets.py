"""What an API token looks like: `aigc_`, eight characters that name it, thirty-two that are secret. Pure but for chance."""

import hashlib
import re
import secrets
import string
from typing import NamedTuple

PREFIX = "aigc_"
KEY_ID_LENGTH = 8
SECRET_LENGTH = 32  # of 62 letters and digits: 190 bits, so that a fast hash is enough to store it
_ALPHABET = string.ascii_letters + string.digits
_FORM = re.compile(rf"{PREFIX}[A-Za-z0-9]{{{KEY_ID_LENGTH + SECRET_LENGTH}}}")
_BEARER = re.compile(rf"\s*bearer\s+({PREFIX}.*?)\s*", re.IGNORECASE | re.DOTALL)


class NewSecret(NamedTuple):
    """The text that its maker sees once, and what is kept of it."""

    text: str
    key_id: str
    digest: str


def new_secret() -> NewSecret:
    """A token that nobody has."""
    characters = "".join(secrets.choice(_ALPHABET) for _ in range(KEY_ID_LENGTH + SECRET_LENGTH))
    text = PREFIX + characters
    return NewSecret(text, characters[:KEY_ID_LENGTH], digest(text))


def digest(text: str) -> str:
    """What the database keeps of a token."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_well_formed(text: str) -> bool:
    """Whether the text can be a token at all; nothing else is worth a question to the database."""
    return _FORM.fullmatch(text) is not None


def bearer_of(authorization: str) -> str | None:
    """What an Authorization header offers as a token of ours, well formed or not; None for one that is the engine's own."""
    found = _BEARER.fullmatch(authorization)
    return found[1] if found else None
