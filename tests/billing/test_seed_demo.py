"""The demo's people, studios and prices."""

from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command

from aigc_portal.demo_accounts import DEMO_ACCOUNTS, DEMO_PASSWORD
from billing.auditing import verify
from billing.calendars import Calendar
from billing.insights.gathering import gather
from billing.insights.report import report
from billing.models import CapacityInterval, Charge, MonthRollup, Price
from billing.windows import parse
from engines.models import Capacity, GpuClass, Instance
from tenants.models import Membership, Tenant, User

pytestmark = pytest.mark.django_db
NOON, UTC_DAYS = datetime(2026, 3, 10, 12, tzinfo=UTC), Calendar.of("UTC", "USD")


def seed(*flags: str) -> str:
    out = StringIO()
    call_command("seed_demo", *flags, stdout=out)
    return out.getvalue()


def everything() -> list[list[tuple]]:
    return [list(model.objects.order_by("pk").values_list()) for model in (User, Tenant, Membership, Price, Capacity, GpuClass)]


def test_people_studios_and_prices(client):
    said = seed()
    roles = {(each.user.username, each.tenant.slug, each.role) for each in Membership.objects.select_related("user", "tenant")}
    assert roles == {("alice", "acme", "member"), ("anna", "acme", "owner"), ("bob", "bolt", "owner")}
    assert list(User.objects.filter(is_staff=True, is_superuser=True).values_list("username", flat=True)) == ["olga"]
    assert [tenant.name for tenant in Tenant.objects.all()] == ["Acme Studio", "Bolt Pictures"]
    prices = Price.objects.values_list("gpu_class__slug", "per_hour", "currency", "tenant", "ends_at")
    assert set(prices) == {("cpu-small", Decimal("0.36"), "USD", None, None), ("cpu-large", Decimal("0.90"), "USD", None, None)}
    for account in DEMO_ACCOUNTS:
        assert User.objects.get(username=account.username).check_password(DEMO_PASSWORD)
        assert account.username in said
    assert said.count(DEMO_PASSWORD) == 1


def test_a_second_run_changes_nothing():
    seed()
    before = everything()
    seed()
    assert everything() == before


def test_what_people_changed_stays():
    seed()
    alice = User.objects.get(username="alice")
    alice.set_password("a password of her own")
    alice.save()
    Membership.objects.filter(user=alice).update(role="admin")
    Tenant.objects.filter(slug="acme").update(burst_after_seconds=1)
    before = everything()
    seed()
    assert everything() == before


def test_a_portal_that_others_reach_is_not_seeded(settings):
    settings.PORTAL_ORIGIN, settings.PORTAL_HOST = "https://portal.example.com", "portal.example.com"
    with pytest.raises(CommandError, match="not on localhost"):
        seed()
    assert not User.objects.exists()
    seed("--force")
    assert User.objects.count() == len(DEMO_ACCOUNTS)


def test_a_bad_catalog_leaves_nothing_behind(tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("engines: 1")
    with pytest.raises(CommandError, match="engines"):
        seed("--catalog", str(bad))
    assert not User.objects.exists()


def test_prices_of_another_currency_are_not_taken_for_ours(settings):
    settings.DEFAULT_CURRENCY = "EUR"
    with pytest.raises(CommandError, match="prices are in USD, but AIGC_CURRENCY is EUR"):
        seed()
    assert not Price.objects.exists()


@time_machine.travel("2026-03-10T12:00:00+00:00", tick=False)
def test_a_year_of_use_is_in_the_books_once_and_in_order():
    call_command("load_catalog", "catalog/demo.yaml", "catalog/engines.yaml", "catalog/gpu_classes.yaml", stdout=StringIO())
    seed("--history")
    months = MonthRollup.objects.filter(tenant__slug="acme").values_list("month", flat=True)
    assert len(set(months)) == 12
    assert set(Charge.objects.values_list("category", flat=True)) == {"gpu", "storage", "credit", "adjustment"}
    assert set(Charge.objects.filter(is_correction=True).values_list("kind", flat=True)) == {"reversal", "replacement"}
    assert verify() == []
    assert not Instance.objects.exclude(state="deleted").exists()
    known = gather(Membership.objects.get(user__username="anna"), parse("30d", UTC_DAYS, NOON), UTC_DAYS, now=NOON)
    assert known is not None
    found = report(known)
    assert found.tells_pictures
    assert found.pausing is not None
    assert found.pausing.is_start_measured
    assert all(0 < each.active_percent < 100 for each in found.active)
    assert list(CapacityInterval.objects.values_list("ends_at", flat=True)) == [NOON] * 3  # as long as use goes on
    before = Charge.objects.count()
    seed("--history")
    assert Charge.objects.count() == before
