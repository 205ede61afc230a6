"""How far an instance has come, and how long that usually takes."""

from datetime import UTC, datetime, timedelta

import pytest

from engines.models import Cluster, EngineVersion, Instance, InstanceEvent
from engines.queries.phases import Typical, queue_position, steps_of, typical_phases, typical_start_seconds
from engines.reasons import Reason
from engines.states import InstanceState
from tenants.models import Tenant, User
from tests import factories

S = InstanceState
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def record(instance: Instance, *moves: tuple[float, str]) -> None:
    """Record a launch at second 0 and transitions at `(second, new state)`."""
    events = [InstanceEvent(kind="wish", at=NOON, reason=Reason.LAUNCHED)]
    events += [
        InstanceEvent(kind="transition", at=NOON + timedelta(seconds=second), new_state=state, reason=Reason.READY)
        for second, state in moves
    ]
    for event in events:
        event.instance, event.generation = instance, 1
        event.save()


@pytest.fixture
def version(db: None) -> EngineVersion:
    return factories.make_engine_version()


def test_typical_times_are_medians_of_completed_phases(
    acme: Tenant, alice: User, cluster: Cluster, version: EngineVersion
) -> None:
    for start_seconds in (20, 30, 100):
        instance = factories.make_instance(acme, alice, cluster, engine_version=version, state=S.RUNNING)
        record(instance, (2, "provisioning"), (6, "starting"), (6 + start_seconds, "running"))
    failed = factories.make_instance(acme, alice, cluster, engine_version=version, state=S.FAILED)
    record(failed, (2, "provisioning"), (6, "starting"), (900, "failed"))
    phases = typical_phases(version)[instance.gpu_class_id]
    assert phases[S.QUEUED] == Typical(median=2, slow=5, starts=4)
    assert phases[S.PROVISIONING] == Typical(median=4, slow=6, starts=4)
    assert phases[S.STARTING] == Typical(median=30, slow=86, starts=3)
    assert typical_start_seconds(phases) == 34


def test_without_history_there_is_no_typical_time(version: EngineVersion) -> None:
    assert typical_phases(version) == {}
    assert typical_start_seconds({}) is None


@pytest.mark.parametrize(
    ("state", "moves", "statuses", "seconds"),
    [
        (S.QUEUED, [], ["now", "ahead", "ahead", "ahead"], [None, None, None, None]),
        (S.STARTING, [(1, "provisioning"), (4, "starting")], ["done", "done", "now", "ahead"], [1, 3, None, None]),
        (S.FAILED, [(1, "provisioning"), (4, "failed")], ["done", "failed", "ahead", "ahead"], [1, 3, None, None]),
        (
            S.RUNNING,
            [(1, "provisioning"), (4, "starting"), (9, "running")],
            ["done", "done", "done", "done"],
            [1, 3, 5, None],
        ),
        # A cluster may go from provisioning to running in one look.
        (S.RUNNING, [(1, "provisioning"), (4, "running")], ["done", "done", "done", "done"], [1, 3, None, None]),
        # Only the newest attempt counts.
        (
            S.PROVISIONING,
            [(1, "provisioning"), (4, "failed"), (50, "queued"), (57, "provisioning")],
            ["done", "now", "ahead", "ahead"],
            [7, None, None, None],
        ),
        # An engine that stopped answering is starting again.
        (
            S.STARTING,
            [(1, "provisioning"), (4, "starting"), (9, "running"), (60, "starting")],
            ["done", "done", "now", "ahead"],
            [1, 59, None, None],
        ),
    ],
)
def test_steps_show_the_last_attempt(  # noqa: PLR0917 - a table row
    state: S,
    moves: list[tuple[float, str]],
    statuses: list[str],
    seconds: list[float | None],
    acme: Tenant,
    alice: User,
    cluster: Cluster,
) -> None:
    instance = factories.make_instance(acme, alice, cluster, state=state)
    record(instance, *moves)
    steps = steps_of(instance)
    assert [step.status for step in steps] == statuses
    assert [step.seconds for step in steps] == seconds


def test_the_queue_is_first_come_first_served_per_class_and_cluster(acme: Tenant, alice: User, cluster: Cluster) -> None:
    first, second, third = (
        factories.make_instance(acme, alice, cluster, state=S.QUEUED, queued_at=NOON + timedelta(seconds=second))
        for second in range(3)
    )
    factories.make_instance(acme, alice, cluster, state=S.QUEUED, queued_at=NOON, gpu_class=factories.make_gpu_class("large"))
    Instance.objects.filter(pk=first.pk).update(desired_state="stopped")
    assert [queue_position(second), queue_position(third)] == [1, 2]
    assert queue_position(factories.make_instance(acme, alice, cluster, state=S.RUNNING)) is None
