"""Short ways to make budgets and to spend, for tests."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from billing.models import Budget
from billing.operations import settle
from engines.models import Instance
from tenants.models import Tenant, User
from tests.billing.facts import record


def make(tenant: Tenant, amount: str = "100", **fields: Any) -> Budget:
    """A monthly budget in dollars of the whole tenant that tells at 50, 80 and 100 per cent, and does nothing else."""
    made_by = fields.pop("made_by", None) or User.objects.filter(memberships__tenant=tenant).order_by("pk").first()
    defaults = {"name": f"budget {Budget.objects.count() + 1}", "currency": "USD", "thresholds": [50, 80, 100]}
    return Budget.objects.create(tenant=tenant, made_by=made_by, amount=Decimal(amount), **defaults | fields)


def spend(instance: Instance, hours: float, *, end: datetime, run_id: str) -> None:
    """Let it have run for so many hours until `end`, at USD 2.50 each."""
    record(instance, "ready", end - timedelta(hours=hours), run_id=run_id, tag=instance.tag)
    record(instance, "ended", end, run_id=run_id, tag=instance.tag)
    settle(instance.pk, now=end + timedelta(seconds=1))
