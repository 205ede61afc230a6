"""A worker that has sent something and ends before it has written that down; killed by test_outbox."""

import sys
import time

import django

django.setup()

from django.utils import timezone  # noqa: E402 - needs the settings

from tenants.notifications import outbox  # noqa: E402

delivery = outbox.claim(timezone.now())
assert delivery is not None
outcome = outbox.attempt(delivery, now=timezone.now())
sys.stdout.write(f"sent, answered {outcome.status}\n")
sys.stdout.flush()
time.sleep(600)
