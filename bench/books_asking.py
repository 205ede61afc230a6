"""What people and programs wait for who ask the books: whole answers of the portal, in this process, without a network."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import time_machine
from django.conf import settings
from django.test import Client

from bench.figures import Figure, percentile
from tenants.access_tokens.operations import Wanted, make_personal_token
from tenants.models import Membership, Role, Tenant, User

RUNS = 20
TENANT = 2
NOW = datetime(2026, 10, 31, 12, tzinfo=UTC)
LIMIT_MS = 100
API = "/api/v1/tenants/studio-2/billing"
YEAR = "window=2025-11-01,2026-11-01"
ANSWERS = {
    "costs page of one tenant, a year by user": "/studio-2/costs/?window=2025-11-01,2026-11-01&by=user",
    "API: a year by month, user and GPU class": f"{API}/allocation?{YEAR}&step=1mo&aggregate=user,gpu_class",
    "API: a month by day and instance": f"{API}/allocation?window=2026-10-01,2026-11-01&step=1d&aggregate=instance",
    "API: 200 lines": f"{API}/lines?{YEAR}&limit=200",
}


def asking(timed: Callable[[Callable[[], object]], float]) -> list[Figure]:
    """Ask each as somebody who sees all costs of one tenant of 50."""
    person = User.objects.get(pk=TENANT)
    Membership.objects.create(user=person, tenant=Tenant.objects.get(pk=TENANT), role=Role.FINANCE)
    figures = []
    with time_machine.travel(NOW, tick=True):
        wanted = Wanted("bench", ["costs:read"], timedelta(days=1))
        secret = make_personal_token(person=person, membership=None, wanted=wanted).secret
        client = Client(headers={"host": urlsplit(settings.PORTAL_ORIGIN).netloc, "authorization": f"Bearer {secret}"})
        client.force_login(person)
        for name, address in ANSWERS.items():
            times = [timed(lambda: ask(client, address)) for _ in range(RUNS + 1)][1:]  # noqa: B023
            slowest = percentile(times, 0.95)
            figures.append(Figure(f"books: {name}, p95", slowest, "ms", 0, f"≤ {LIMIT_MS} ms", slowest <= LIMIT_MS))
    return figures


def ask(client: Client, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status_code, answer.content[:500])
