"""What an access token looks like: a prefix for its kind, eight characters that name it, thirty-two that are secret, a checksum.

The checksum lets anybody tell a token from a text that looks like one, without asking the portal: scanners of repositories do,
and so do we, so that a guess costs no query. Pure but for chance.
"""

import re
import zlib

from aigc_portal.token_secrets import ALPHABET, KEY_ID_LENGTH, SECRET_LENGTH, NewSecret, new_characters

PREFIXES = {"personal": "aigc_pat_", "service": "aigc_svc_"}
CHECKSUM_LENGTH = 6
_FORM = re.compile(rf"(aigc_(?:pat|svc)_[A-Za-z0-9]{{{KEY_ID_LENGTH + SECRET_LENGTH}}})([A-Za-z0-9]{{{CHECKSUM_LENGTH}}})")


def new_secret(kind: str) -> NewSecret:
    """Return a token that nobody has; `kind` is a key of PREFIXES."""
    named = PREFIXES[kind] + new_characters()
    return NewSecret.of(named + _checksum(named), prefix=PREFIXES[kind])


def is_well_formed(text: str) -> bool:
    """Tell whether the text can be a token at all; nothing else is worth a question to the database."""
    found = _FORM.fullmatch(text)
    return found is not None and found[2] == _checksum(found[1])


def _checksum(text: str) -> str:
    """Write CRC-32 in base 62, as GitHub's tokens have it."""
    rest, digits = zlib.crc32(text.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        rest, digit = divmod(rest, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
