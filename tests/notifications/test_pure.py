"""Pauses, Retry-After and signatures: pure, and held to their sources."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from tenants.notifications.backoff import LONGEST, LONGEST_ASKED, asked_pause, pause_after
from tenants.notifications.signing import PREFIX, new_secret, signature_headers

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 5), (2, 20), (3, 80), (7, 20_480), (8, 43_200), (500, 43_200)])
def test_pauses_grow_to_an_end(attempts: int, seconds: int) -> None:
    assert pause_after(attempts, jitter=0.5) == timedelta(seconds=seconds)
    assert pause_after(attempts, jitter=0) == timedelta(seconds=seconds) * 0.8
    assert pause_after(attempts, jitter=1) == timedelta(seconds=seconds) * 1.2


def test_three_days_take_about_thirteen_attempts() -> None:
    total = sum((pause_after(attempts, jitter=0.5) for attempts in range(1, 13)), timedelta())
    assert timedelta(days=2) < total < timedelta(days=3) < total + LONGEST


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("", 0), ("0", 0), ("120", 120), (" 7 ", 7), ("-5", 0), ("1.5", 0), ("soon", 0), ("٣", 0), ("9" * 400, 86_400),
     ("Wed, 25 Nov 2026 12:05:00 GMT", 300), ("Wed, 25 Nov 2026 11:00:00 GMT", 0), ("Wed, 25 Nov 2099 11:00:00 GMT", 86_400),
     ("Wed, 25 Nov 2026 12:05:00", 0), ("Wed, 99 Nov 2026 12:05:00 GMT", 0)],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(header: str, seconds: int) -> None:
    assert asked_pause(header, now=NOW) == timedelta(seconds=seconds)


@given(st.text())
def test_no_retry_after_breaks_anything(header: str) -> None:
    assert timedelta(0) <= asked_pause(header, now=NOW) <= LONGEST_ASKED


def test_a_signature_is_that_of_the_specification() -> None:
    """Secret, id, timestamp and payload, with the result of the reference implementation for them."""
    body = b'{"test": 2432232314}'
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = signature_headers(body, event_id="msg_p5jXN8AQM9LWM0D4loKWxJek", at_epoch=1614265330, signing=[secret])
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_receivers_with_either_secret_accept_it_and_others_do_not() -> None:
    old, new, other = new_secret(), new_secret(), new_secret()
    body = '{"name":"龙"}'.encode()
    now = int(datetime.now(tz=UTC).timestamp())
    headers = signature_headers(body, event_id="msg_1", at_epoch=now, signing=[new, old])
    assert Webhook(old).verify(body, headers) == Webhook(new).verify(body, headers) == {"name": "龙"}
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(body, headers)
    for changed in ({"webhook-id": "msg_2"}, {"webhook-timestamp": str(now + 1)}):
        with pytest.raises(WebhookVerificationError):
            Webhook(new).verify(body, headers | changed)


def test_secrets_are_long_and_not_the_same() -> None:
    first, second = new_secret(), new_secret()
    assert first != second
    assert first.startswith(PREFIX)
    assert len(first) == len(PREFIX) + 44
