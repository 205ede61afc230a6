"""Whoever an instance is handed over to pays from that second on; the past stays with whoever had it."""

from datetime import timedelta

import pytest

from billing.models import Charge, UsageInterval
from billing.operations import settle
from engines.models import Handover, Instance
from engines.operations.sharing import hand_over_instance
from tenants.models import Membership, User
from tests.billing.facts import moment, record

START = moment("2026-03-10T10:00:00")


@pytest.fixture
def hand_over(instance: Instance, alice_in_acme: Membership, anna: User, time_machine):
    """Hand alice's instance over to anna, at a moment within a second."""

    def run(at):
        time_machine.move_to(at + timedelta(microseconds=600_000), tick=False)
        hand_over_instance(instance=instance, by=alice_in_acme, to=anna)

    return run


def charges() -> list[tuple[str, int, str]]:
    rows = Charge.objects.order_by("pk").select_related("owner")
    return [(row.owner.username, row.seconds, str(row.amount)) for row in rows]


def test_the_hour_of_the_change_is_shared_by_the_second(instance: Instance, hand_over) -> None:
    record(instance, "ready", START)
    assert settle(instance.pk, now=START + timedelta(hours=1, minutes=10)) == 1
    hand_over(START + timedelta(hours=1, minutes=20))
    assert settle(instance.pk, now=START + timedelta(hours=1, minutes=20, seconds=1)) == 1
    intervals = UsageInterval.objects.order_by("starts_at").values_list("owner__username", "starts_at", "ends_at")
    assert list(intervals) == [
        ("alice", START, START + timedelta(hours=1, minutes=20)),
        ("anna", START + timedelta(hours=1, minutes=20), None),
    ]
    settle(instance.pk, now=START + timedelta(hours=2, minutes=10))
    assert charges() == [("alice", 3600, "2.500000000"), ("alice", 1200, "0.833333333"), ("anna", 2400, "1.666666667")]


def test_facts_that_come_late_move_nothing(instance: Instance, hand_over) -> None:
    """The run began before the hand-over, and is first noted after it, as the new owner's."""
    hand_over(START + timedelta(minutes=20))
    instance.refresh_from_db()
    record(instance, "ready", START, observed_at=START + timedelta(minutes=21))
    record(instance, "ended", START + timedelta(hours=1))
    assert instance.run_facts.values("owner").distinct().get()["owner"] == instance.owner_id
    settle(instance.pk, now=START + timedelta(hours=1, seconds=1))
    assert charges() == [("alice", 1200, "0.833333333"), ("anna", 2400, "1.666666667")]
    assert Handover.objects.get().from_owner.username == "alice"


def test_settling_is_asked_for_once_it_is_durable(
    instance: Instance, hand_over, valkey, django_capture_on_commit_callbacks
) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        hand_over(START)
    assert len(callbacks) == 3  # the notification, the books, the announcement
