"""Answers that are kept for a day under the Idempotency-Key of their request."""

import hashlib
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from aigc_portal.sealing import seal, unseal
from tenants.access_tokens.models import AccessToken, KeptAnswer

KEPT_FOR = timedelta(hours=24)


def take_turn(token: AccessToken, route: str, key: str) -> bool:
    """Take the key for the present transaction; False while another one has it. The lock ends with its process."""
    name = hashlib.sha256(f"{token.pk}\n{route}\n{key}".encode()).digest()[:8]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(name, "big", signed=True)])
        (taken,) = cursor.fetchone()
    return bool(taken)


def kept_answer(token: AccessToken, route: str, key: str) -> KeptAnswer | None:
    """Return what was answered within the last day under this key."""
    since = timezone.now() - KEPT_FOR
    return KeptAnswer.objects.filter(token=token, route=route, key=key, created_at__gt=since).first()


def body_of(answer: KeptAnswer) -> str:
    """Return the answer's text; sealing.Unreadable if its key has been taken away since."""
    return unseal(answer.sealed_body)


def keep_answer(token: AccessToken, route: str, key: str, *, request_digest: str, status: int, body: str) -> None:
    """Keep an answer in the transaction of what it tells of, in place of one that is over."""
    fields = {"request_digest": request_digest, "status": status, "sealed_body": seal(body), "created_at": timezone.now()}
    KeptAnswer.objects.update_or_create(token=token, route=route, key=key, defaults=fields)


def forget_old_answers() -> int:
    """Delete what nobody will be answered again; return how many."""
    return KeptAnswer.objects.filter(created_at__lte=timezone.now() - KEPT_FOR).delete()[0]
