"""What the texts of all tokens have that programs carry: eight characters that name one, thirty-two that are secret.

What stands before and behind them tells the kinds apart, in a module of each. Pure but for chance.
"""

import hashlib
import secrets
import string
from typing import NamedTuple

KEY_ID_LENGTH = 8
SECRET_LENGTH = 32  # of 62 letters and digits: 190 bits, so that a fast hash is enough to store it
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase


class NewSecret(NamedTuple):
    """The text that its maker sees once, and what is kept of it."""

    text: str
    key_id: str
    digest: str

    @classmethod
    def of(cls, text: str, *, prefix: str) -> "NewSecret":
        """Return a text that begins with the prefix, and what is kept of it."""
        return cls(text, text.removeprefix(prefix)[:KEY_ID_LENGTH], digest(text))


def new_characters() -> str:
    """Return the characters of a token that nobody has."""
    return "".join(secrets.choice(ALPHABET) for _ in range(KEY_ID_LENGTH + SECRET_LENGTH))


def digest(text: str) -> str:
    """Return what the database keeps of a token."""
    return hashlib.sha256(text.encode()).hexdigest()
