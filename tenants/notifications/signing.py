"""Signatures of webhooks, as Standard Webhooks 1.0.0 has them. Pure.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hmac
import secrets
from collections.abc import Iterable

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret() -> str:
    """Return a random signing secret in the form that people copy: `whsec_` and base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signature_headers(body: bytes, *, event_id: str, at_epoch: int, signing: Iterable[str]) -> dict[str, str]:
    """Return the three headers of an attempt, with one signature for each secret; receivers accept any that they know.

    `event_id` stays the same however often an event is sent, and has no full stop; `at_epoch` is when this attempt is made.
    """
    signed = f"{event_id}.{at_epoch}.".encode() + body
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(at_epoch),
        "webhook-signature": " ".join(_signature(secret, signed) for secret in signing),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
