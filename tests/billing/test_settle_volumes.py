"""Storage is charged by day for as long as a volume is there: in use, paused, kept and in the trash."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from billing.auditing import verify
from billing.due import due_volumes
from billing.models import Charge, DayRollup, UsageInterval, VolumeMeter
from billing.operations import set_storage_price, set_terms, settle, settle_due
from billing.periods import Month
from billing.summaries import month_summary
from engines.models import Instance, Volume, VolumeFact
from engines.operations.sharing import hand_over_instance
from engines.reconcile import _provision_volume
from engines.volume_facts import note_volume
from tenants.models import Membership, Tenant, User
from tests import factories
from tests.billing.facts import BEGINNING, moment, record

START = moment("2026-03-10T06:00:00")
MARCH = Month(2026, 3)
Kind = VolumeFact.Kind


@pytest.fixture
def volume(acme: Tenant, alice: User) -> Volume:
    set_storage_price(per_hour=Decimal("0.000137"), starts_at=BEGINNING)
    volume = factories.make_volume(acme, alice, factories.make_cluster("/nowhere"), name="renders", size_gib=100)
    note_volume(volume, Kind.PROVISIONED, at=START)
    return volume


def told() -> list[tuple[str, int, str]]:
    rows = Charge.objects.order_by("starts_at", "pk")
    return [(f"{row.starts_at:%d %T}", row.seconds, str(row.amount)) for row in rows]


def test_lasting_storage_is_charged_by_days_that_are_over(volume: Volume) -> None:
    assert settle_due(now=moment("2026-03-11T00:09:59")) == 0
    assert due_volumes(now=moment("2026-03-11T00:09:59")) == []
    assert due_volumes(now=moment("2026-03-11T00:10:00")) == [volume.pk]
    assert settle_due(now=moment("2026-03-11T00:10:00")) == 1
    assert told() == [("10 06:00:00", 64_800, "0.246600000")]
    assert settle_due(now=moment("2026-03-11T23:00:00")) == 0
    [rollup] = DayRollup.objects.all()
    assert (rollup.volume, rollup.milli_unit_seconds, rollup.category) == (volume, 64_800 * 100_000, "storage")


def test_it_is_charged_in_the_trash_and_until_it_is_gone(volume: Volume) -> None:
    Volume.objects.update(state=Volume.State.TRASHED, purge_at=START + timedelta(hours=1))
    note_volume(volume, Kind.GONE, at=START + timedelta(hours=1))
    assert settle_due(now=START + timedelta(hours=2)) == 1
    assert told() == [("10 06:00:00", 3600, "0.013700000")]
    assert UsageInterval.objects.get().ends_at == START + timedelta(hours=1)


def test_days_are_those_of_the_account(volume: Volume, acme: Tenant) -> None:
    set_terms(tenant=acme, now=START, time_zone="Asia/Shanghai")
    settle_due(now=moment("2026-03-11T16:30:00"))
    assert told() == [("10 06:00:00", 36_000, "0.137000000"), ("10 16:00:00", 86_400, "0.328800000")]
    assert [f"{row.day}" for row in Charge.objects.order_by("pk")] == ["2026-03-10", "2026-03-11"]


def test_without_a_price_it_is_free_and_blocks_nothing(acme: Tenant, alice: User, alice_in_acme: Membership) -> None:
    volume = factories.make_volume(acme, alice, factories.make_cluster("/nowhere"))
    note_volume(volume, Kind.PROVISIONED, at=START)
    assert settle_due(now=START + timedelta(days=3)) == 0
    assert VolumeMeter.objects.get().unpriced_from == START
    summary = month_summary(alice_in_acme, MARCH, now=START + timedelta(days=3))
    assert (summary.others, summary.total.plain) == ([], "0.000000000")


def test_a_class_of_its_own_price(volume: Volume, acme: Tenant) -> None:
    fast = factories.make_volume(
        acme, volume.owner, factories.make_cluster("/nowhere", config={"storage_class": "fast"}), size_gib=100
    )
    note_volume(fast, Kind.PROVISIONED, at=START)
    set_storage_price(per_hour=Decimal("0.001"), starts_at=BEGINNING, storage_class="fast")
    settle_due(now=moment("2026-03-11T01:00:00"))
    assert {row.storage_class: str(row.amount) for row in Charge.objects.all()} == {"": "0.246600000", "fast": "1.800000000"}


def test_handed_over_with_its_instance(
    make_running: Callable[..., Instance], volume: Volume, alice_in_acme: Membership, anna: User, time_machine
) -> None:
    Volume.objects.update(provisioned_at=START)
    instance = make_running(volume=volume, cluster=volume.cluster)
    time_machine.move_to(START + timedelta(hours=6), tick=False)
    hand_over_instance(instance=instance, by=alice_in_acme, to=anna)
    settle_due(now=moment("2026-03-11T01:00:00"))
    assert [(row.owner.username, row.seconds) for row in Charge.objects.order_by("starts_at")] == [
        ("alice", 21_600),
        ("anna", 43_200),
    ]


def test_renamed_things_keep_their_old_names_on_old_lines(instance: Instance) -> None:
    """Case 17."""
    record(instance, "ready", START)
    settle(instance.pk, now=START + timedelta(hours=1, minutes=10))
    Instance.objects.update(name="advert")
    settle(instance.pk, now=START + timedelta(hours=2, minutes=10))
    assert list(Charge.objects.order_by("pk").values_list("resource_name", flat=True)) == ["poster", "advert"]


def test_page_shows_storage_beside_gpu_time(volume: Volume, alice_in_acme: Membership) -> None:
    settle_due(now=moment("2026-03-11T06:00:00"))
    summary = month_summary(alice_in_acme, MARCH, now=moment("2026-03-11T06:00:00"))
    [row] = summary.others
    assert (row.name, row.user, row.charged.plain, row.estimated.plain) == ("renders", "alice", "0.246600000", "0.082200000")
    assert (summary.total.plain, summary.estimated.plain) == ("0.328800000", "0.082200000")
    assert verify() == []


@pytest.mark.django_db(transaction=True)
def test_provisioning_notes_it_once(make_running: Callable[..., Instance], tmp_path) -> None:
    instance = make_running(cluster=factories.make_cluster(tmp_path))
    Instance.objects.update(tag="spring")
    instance.refresh_from_db()
    for _ in range(2):
        _provision_volume(instance)
        instance.volume.refresh_from_db()
    [fact] = VolumeFact.objects.all()
    assert (fact.kind, fact.at, fact.size_gib, fact.tag) == ("provisioned", instance.volume.provisioned_at, 50, "spring")
