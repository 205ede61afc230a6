"""How a visitor comes from the portal to an engine's host: a one-time code, bound to the browser that asked for it.

Valkey holds `<prefix>:gw:code:<digest of the code>` for half a minute, and `<prefix>:gw:session:<digest>`, the portal session
that a pass stands on, for as long as a pass can live.
"""

import hashlib
import hmac
import json
import re
import secrets
from dataclasses import asdict, dataclass
from functools import lru_cache
from urllib.parse import urlencode

import redis
from django.conf import settings
from django.urls import reverse

from engines.addresses import engine_origin
from gateway.tokens import LIFE_LIMIT_SECONDS

CODE_SECONDS = 30
NONCE_SECONDS = 300
_NONCE = re.compile(r"[A-Za-z0-9_-]{43}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Grant:
    """What a code stands for: this person, from this browser and portal session, may enter this instance."""

    slug: str
    user_id: int
    session: str
    nonce_digest: str
    path: str


def authorize_url(*, slug: str, nonce: str, path: str) -> str:
    """Where gwauth sends a visitor without a pass."""
    query = urlencode({"instance": slug, "n": digest(nonce), "rd": path})
    return f"{settings.PORTAL_ORIGIN}{reverse('gateway-authorize')}?{query}"


def callback_url(slug: str, code: str) -> str:
    """Where the portal sends the visitor back to."""
    return f"{engine_origin(slug)}/.aigc/callback?{urlencode({'code': code})}"


def issue_code(grant: Grant, *, session_key: str) -> str:
    """Store the grant and return its code: single use, half a minute. Raises redis.RedisError."""
    code = secrets.token_urlsafe(32)
    with valkey().pipeline() as pipe:
        pipe.set(_session_name(grant.session), session_key, ex=LIFE_LIMIT_SECONDS + CODE_SECONDS)
        pipe.set(_code_name(code), json.dumps(asdict(grant)), ex=CODE_SECONDS, nx=True)
        pipe.execute()
    return code


def redeem_code(code: str, *, slug: str, nonce: str) -> Grant | None:
    """Spend the code, for good also when it is refused. None for one that is not for this host and browser."""
    stored = valkey().getdel(_code_name(code))
    if stored is None:
        return None
    grant = Grant(**json.loads(stored))
    return grant if grant.slug == slug and hmac.compare_digest(grant.nonce_digest, digest(nonce)) else None


@lru_cache(maxsize=10_000)
def session_key_of(session: str) -> str:
    """The portal session behind a digest. A digest never changes its meaning, so Valkey is asked once in a process.

    LookupError if Valkey does not know it; redis.RedisError if it cannot be asked.
    """
    found = valkey().get(_session_name(session))
    if found is None:
        raise LookupError(session)
    return str(found)


def session_digest(session_key: str) -> str:
    """What a pass says of the portal's session: enough to find it again, nothing to impersonate it with."""
    return hashlib.sha256(session_key.encode()).digest()[:8].hex()


def digest(nonce: str) -> str:
    """What the portal is shown of a nonce."""
    return hashlib.sha256(nonce.encode()).hexdigest()


def is_digest(text: str) -> bool:
    """Whether the text can be the digest of a nonce."""
    return _DIGEST.fullmatch(text) is not None


def usable_nonce(present: str) -> str:
    """The browser's present nonce, so that several tabs can sign in at once, or a new one."""
    return present if _NONCE.fullmatch(present) else secrets.token_urlsafe(32)


@lru_cache(maxsize=1)
def valkey() -> redis.Redis:
    """The client of this process; it answers text."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2, decode_responses=True)


def _code_name(code: str) -> str:
    return f"{settings.REDIS_PREFIX}:gw:code:{digest(code)}"


def _session_name(session: str) -> str:
    return f"{settings.REDIS_PREFIX}:gw:session:{session}"
