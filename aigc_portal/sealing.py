"""Secrets at rest: sealed with the first of `settings.ENCRYPTION_KEYS`, opened with whichever of them fits.

Fernet (AES-128-CBC with HMAC-SHA256, https://github.com/fernet/spec); its keys are derived from the configured texts, which may
be of any length and alphabet.
"""

import base64
import re
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

# Version 0x80 and a time before the year 2106, then at least the IV, one block and the HMAC, in URL-safe base64.
_FERNET = re.compile(r"gAAAA[A-Za-z0-9_-]{93,}={0,2}")


class Unreadable(Exception):
    """None of the keys opens what was sealed: its key was taken away, or the database is another installation's."""


def seal(text: str) -> str:
    """Encrypt; the same text is sealed differently each time."""
    return _keys(tuple(settings.ENCRYPTION_KEYS)).encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """Decrypt; Unreadable if no key fits."""
    try:
        return _keys(tuple(settings.ENCRYPTION_KEYS)).decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise Unreadable("a stored secret was sealed with a key that is not among AIGC_ENCRYPTION_KEYS") from None


def reseal(sealed: str) -> str:
    """Encrypt anew with the first key; Unreadable if no key fits."""
    return seal(unseal(sealed))


def is_sealed(text: str) -> bool:
    """Tell whether the text has the form of what `seal` makes; no key is needed, so it says nothing of which one opens it."""
    return _FERNET.fullmatch(text) is not None


def is_current(sealed: str) -> bool:
    """Tell whether the first key opens it, so that there is nothing to encrypt anew."""
    try:
        _keys((settings.ENCRYPTION_KEYS[0],)).decrypt(sealed.encode())
    except InvalidToken:
        return False
    return True


@lru_cache(maxsize=8)
def _keys(texts: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(_derived(text)) for text in texts])


def _derived(text: str) -> bytes:
    derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"aigc-portal: secrets at rest")
    return base64.urlsafe_b64encode(derivation.derive(text.encode()))
