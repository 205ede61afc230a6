"""Books with everything that can stand in them, as the product writes them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import pytest

from billing.models import BillingPeriod, Charge
from billing.operations import (
    add_adjustment,
    add_credit,
    add_tax,
    close_period,
    set_price,
    set_storage_price,
    set_terms,
    settle,
    settle_due,
)
from engines.models import GpuClass, Instance, VolumeFact
from engines.volume_facts import note_volume
from tenants.models import Tenant, User
from tests import factories
from tests.billing.facts import BEGINNING, moment, record

NOW = moment("2026-04-06T12:00:00")
TYPED = '=HYPERLINK("x"),\n海报 🖼 \\ <b>&"\''


@dataclass(frozen=True)
class Books:
    """A studio's books at a moment."""

    tenant: Tenant
    now: datetime

    def lines(self) -> list[Charge]:
        return list(Charge.objects.filter(tenant=self.tenant).order_by("period__starts_at", "pk"))


@pytest.fixture
def books(acme: Tenant, alice: User, make_running: Callable[..., Instance], h100: GpuClass) -> Books:
    """March in Shanghai: GPU time cheaper than listed, of one GPU and of a quarter; a volume; a project; time that was taken back
    before the month was closed, and corrected after; a credit, a tax, an adjustment."""
    GpuClass.objects.filter(pk=h100.pk).update(memory_mib=81920)
    set_terms(tenant=acme, now=moment("2026-02-20"), time_zone="Asia/Shanghai", currency="USD")
    set_price(gpu_class=h100, tenant=acme, per_hour=Decimal("2.10"), list_per_hour=Decimal("2.80"), starts_at=BEGINNING)
    set_storage_price(per_hour=Decimal("0.000136986"), starts_at=BEGINNING)
    poster = make_running(name=TYPED[:60], tag="spring “campaign”\t")
    record(poster, "ready", moment("2026-03-14T02:13:07"), tag=poster.tag)
    record(poster, "ended", moment("2026-03-14T06:00:00"), tag=poster.tag, source="reconcile")
    shared = make_running(name="shared", owner=alice)
    record(shared, "ready", moment("2026-03-31T14:30:00"), quantity_milli=250)
    record(shared, "ended", moment("2026-03-31T17:40:01"), source="reconcile", quantity_milli=250)
    volume = factories.make_volume(acme, alice, poster.cluster, name="renders", size_gib=40)
    note_volume(volume, VolumeFact.Kind.PROVISIONED, at=moment("2026-03-14T02:00:00"))
    settle_due(now=moment("2026-04-01"))
    for each in (poster, shared):
        settle(each.pk, now=moment("2026-04-01"))
    record(poster, "ended", moment("2026-03-14T05:30:00"), tag=poster.tag)
    settle(poster.pk, now=moment("2026-04-02"))
    add_credit(tenant=acme, amount=Decimal("0.25"), reason="=1+1, outage", now=moment("2026-03-20"))
    add_tax(tenant=acme, amount=Decimal("1.234567891"), reason="VAT", now=moment("2026-03-31"))
    add_adjustment(tenant=acme, amount=Decimal("-0.003"), reason="Rounding", now=moment("2026-03-31"))
    close_period(period=BillingPeriod.objects.get(tenant=acme, month="2026-03-01"), now=moment("2026-04-05"))
    record(shared, "ended", moment("2026-03-31T15:10:00"), quantity_milli=250)
    settle(shared.pk, now=NOW)
    return Books(acme, NOW)
