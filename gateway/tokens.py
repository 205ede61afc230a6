"""What a visitor carries on an engine's host: `v1.<key id>.<payload>.<HMAC-SHA256>`. Pure."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

VERSION = "v1"
# Longer than a WebSocket may live at the gateway, so that an open page never outlives its token.
IDLE_LIMIT_SECONDS = 2 * 3600
LENGTH_LIMIT = 256
LIFE_LIMIT_SECONDS = 12 * 3600


@dataclass(frozen=True, slots=True)
class Token:
    """One person's pass for one instance. Moments are seconds since 1970."""

    slug: str
    user_id: int
    session: str  # digest of the portal's session that it stands on; see handoff.session_digest
    born_at: int
    expires_at: int


class Keyring:
    """The keys of settings.GATEWAY_KEYS: the first signs, all verify."""

    def __init__(self, pairs: Sequence[str]) -> None:
        split = [pair.split(":", 1) for pair in pairs]
        self.keys: Mapping[str, bytes] = {key_id: key.encode() for key_id, key in split}
        self.newest = split[0][0]
        # A browser sends the same text hundreds of times for one page.
        self._genuine = lru_cache(maxsize=10_000)(self._check)

    def sign(self, token: Token) -> str:
        """Return the token's text, safe in a cookie."""
        fields = [token.slug, token.user_id, token.session, token.born_at, token.expires_at]
        payload = _encode(json.dumps(fields, separators=(",", ":")).encode())
        text = f"{VERSION}.{self.newest}.{payload}"
        return f"{text}.{self._seal(self.newest, text)}"

    def read(self, text: str, *, slug: str, now: int) -> Token | None:
        """Return the token if it is genuine, for this instance and not expired; None for all else."""
        if len(text) > LENGTH_LIMIT:  # what anybody may send must not fill the memory
            return None
        token = self._genuine(text)
        return token if token is not None and token.slug == slug and now < token.expires_at else None

    def _check(self, text: str) -> Token | None:
        signed, _, seal = text.rpartition(".")
        parts = signed.split(".")
        if len(parts) != 3 or parts[0] != VERSION or parts[1] not in self.keys or not text.isascii():
            return None
        if not hmac.compare_digest(self._seal(parts[1], signed), seal):
            return None
        return Token(*json.loads(_decode(parts[2])))

    def _seal(self, key_id: str, text: str) -> str:
        return _encode(hmac.digest(self.keys[key_id], text.encode(), hashlib.sha256))


def new_token(*, slug: str, user_id: int, session: str, now: int) -> Token:
    """A pass that begins now."""
    return Token(slug, user_id, session, born_at=now, expires_at=now + IDLE_LIMIT_SECONDS)


def renewed(token: Token, *, now: int) -> Token | None:
    """The same pass for longer, once less than half of its time is left and its whole life allows more; else None."""
    if token.expires_at - now > IDLE_LIMIT_SECONDS // 2:
        return None
    expires_at = min(now + IDLE_LIMIT_SECONDS, token.born_at + LIFE_LIMIT_SECONDS)
    return replace(token, expires_at=expires_at) if expires_at > token.expires_at else None


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return binascii.a2b_base64(text.translate({45: "+", 95: "/"}) + "=" * (-len(text) % 4))
