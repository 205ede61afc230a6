"""What an API token looks like: `aigc_`, eight characters that name it, thirty-two that are secret. Pure but for chance."""

import re

from aigc_portal.token_secrets import KEY_ID_LENGTH, SECRET_LENGTH, NewSecret, new_characters

PREFIX = "aigc_"
_FORM = re.compile(rf"{PREFIX}[A-Za-z0-9]{{{KEY_ID_LENGTH + SECRET_LENGTH}}}")
_BEARER = re.compile(rf"\s*bearer\s+({PREFIX}.*?)\s*", re.IGNORECASE | re.DOTALL)


def new_secret() -> NewSecret:
    """A token that nobody has."""
    return NewSecret.of(PREFIX + new_characters(), prefix=PREFIX)


def is_well_formed(text: str) -> bool:
    """Whether the text can be a token at all; nothing else is worth a question to the database."""
    return _FORM.fullmatch(text) is not None


def bearer_of(authorization: str) -> str | None:
    """What an Authorization header offers as a token of ours, well formed or not; None for one that is the engine's own."""
    found = _BEARER.fullmatch(authorization)
    return found[1] if found else None
