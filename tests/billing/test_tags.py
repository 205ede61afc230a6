"""A project that changes in the middle of a run divides its costs, and its storage, at the second; the sum stays."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db.models import Q

from billing.allocation import Asked, allocate
from billing.calendars import Calendar
from billing.dimensions import read_filter
from billing.models import Charge
from billing.operations import set_storage_price, settle, settle_due
from billing.windows import parse
from engines.models import Instance, VolumeFact
from engines.operations.tags import change_tag
from engines.volume_facts import note_volume
from tenants.models import Membership
from tests.billing.facts import BEGINNING, moment, record

START = moment("2026-03-10T10:00:00")
CHANGE = START + timedelta(minutes=20, seconds=1)


@pytest.fixture
def retag(instance: Instance, alice_in_acme: Membership, time_machine) -> Callable[[datetime, str], None]:
    def run(at: datetime, tag: str) -> None:
        time_machine.move_to(at, tick=False)
        change_tag(instance=instance, by=alice_in_acme, tag=tag)

    return run


def charges() -> list[tuple[str, str, datetime, datetime, int, str]]:
    rows = Charge.objects.order_by("pk")
    return [(row.kind, row.tag, row.starts_at, row.ends_at, row.seconds, str(row.amount)) for row in rows]


@pytest.mark.parametrize("microsecond", [0, 1, 999_999])
def test_costs_are_divided_at_the_second_of_the_change(instance: Instance, retag, microsecond: int) -> None:
    record(instance, "ready", START)
    retag(CHANGE + timedelta(microseconds=microsecond), "Spring")
    settle(instance.pk, now=START + timedelta(hours=1, minutes=10))
    assert charges() == [
        ("original", "", START, CHANGE, 1201, "0.834027778"),
        ("original", "Spring", CHANGE, START + timedelta(hours=1), 2399, "1.665972222"),
    ]
    assert sum(row.amount for row in Charge.objects.all()) == Decimal("2.5")


def test_what_was_charged_before_the_change_was_known_is_put_right(instance: Instance, retag) -> None:
    record(instance, "ready", START)
    settle(instance.pk, now=START + timedelta(hours=1, minutes=10))
    retag(START + timedelta(hours=1, minutes=15), "Spring")
    retag(START + timedelta(hours=1, minutes=45), "Autumn")
    record(instance, "ended", START + timedelta(hours=2))
    settle(instance.pk, now=START + timedelta(hours=2, seconds=1))
    assert [(tag, seconds) for _kind, tag, _start, _end, seconds, _amount in charges()] == [
        ("", 3600),
        ("", 900),
        ("Spring", 1800),
        ("Autumn", 900),
    ]
    assert sum(row.amount for row in Charge.objects.all()) == Decimal(5)
    assert settle(instance.pk, now=START + timedelta(hours=3)) == 0


def test_storage_follows_and_reports_tell_projects_apart(instance: Instance, retag) -> None:
    set_storage_price(per_hour=Decimal("0.001"), starts_at=BEGINNING)
    volume = instance.volume
    volume.provisioned_at = START
    volume.save()
    note_volume(volume, VolumeFact.Kind.PROVISIONED, at=START)
    record(instance, "ready", START)
    retag(START + timedelta(hours=2), "Spring")
    record(instance, "ended", START + timedelta(hours=4))
    settle_due(now=moment("2026-03-11T00:10:00"))
    calendar = Calendar.of("UTC", "USD")
    asked = Asked(parse("2026-03-10,2026-03-11", calendar, START), by=("project", "charge_category"))
    [part] = allocate(Q(tenant=instance.tenant), asked, calendar)
    assert {each.key: str(each.amount) for each in part.allocations} == {
        ("", "gpu"): "5.000000000",
        ("Spring", "gpu"): "5.000000000",
        ("", "storage"): "0.100000000",
        ("Spring", "storage"): "0.600000000",
    }
    only = Asked(asked.window, conditions=read_filter('project:"Spring"'))
    assert str(allocate(Q(tenant=instance.tenant), only, calendar)[0].allocations[0].amount) == "5.600000000"
