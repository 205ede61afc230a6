"""The life cycle's table: every arrow, every non-arrow, every step."""

import itertools

import pytest

from engines.clusters.names import ALPHABET, instance_slug, new_slug, volume_name, workload_name
from engines.errors import IllegalTransition, StaleState
from engines.models import Instance, InstanceEvent
from engines.reasons import EXPLANATIONS, Reason, is_failure
from engines.states import (
    COMING_UP,
    HOLDS_GPU,
    PHASE_LIMIT_SECONDS,
    RESTING,
    TRANSITIONS,
    DesiredState,
    InstanceState,
    Step,
    next_step,
)
from tests import factories

PAIRS = list(itertools.product(InstanceState, InstanceState))


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_move_to_follows_the_table(old, new, acme, alice, cluster):
    instance = factories.make_instance(acme, alice, cluster, state=old)
    if new in TRANSITIONS[old]:
        event = instance.move_to(new, reason=Reason.READY, evidence="seen")
        instance.refresh_from_db()
        assert (instance.state, instance.reason, instance.evidence) == (new, Reason.READY, "seen")
        assert (event.kind, event.old_state, event.new_state) == (InstanceEvent.Kind.TRANSITION, old, new)
    else:
        with pytest.raises(IllegalTransition):
            instance.move_to(new, reason=Reason.READY)
        instance.refresh_from_db()
        assert instance.state == old
        assert not instance.events.exists()


def test_every_state_is_in_the_table_and_every_phase_that_does_not_rest_has_a_limit():
    assert set(TRANSITIONS) == set(InstanceState)
    timed = set(PHASE_LIMIT_SECONDS) | {InstanceState.STARTING}
    assert timed == set(InstanceState) - RESTING
    assert {InstanceState.RUNNING} == HOLDS_GPU & RESTING
    assert {"queued", "provisioning", "starting"} == COMING_UP


@pytest.mark.parametrize(
    "changes", [{"state": InstanceState.STOPPING}, {"generation": 2}], ids=["somebody moved it", "somebody wished again"]
)
def test_move_to_refuses_what_it_did_not_read(changes, acme, alice, cluster):
    instance = factories.make_instance(acme, alice, cluster, state=InstanceState.STARTING)
    Instance.objects.filter(pk=instance.pk).update(**changes)
    with pytest.raises(StaleState):
        instance.move_to(InstanceState.RUNNING, reason=Reason.READY)
    assert not instance.events.exists()


def test_entering_a_phase_sets_its_deadline(acme, alice, cluster):
    version = factories.make_engine_version(startup_limit_seconds=77)
    instance = factories.make_instance(acme, alice, cluster, state=InstanceState.PROVISIONING, engine_version=version)
    instance.move_to(InstanceState.STARTING, reason=Reason.ENGINE_STARTING)
    assert (instance.deadline_at - instance.state_since).total_seconds() == 77
    instance.move_to(InstanceState.RUNNING, reason=Reason.READY)
    assert instance.deadline_at is None


STEPS = {
    DesiredState.RUNNING: ["start", "apply", "apply", "nothing", "stop", "queue", "nothing", "delete", "nothing"],
    DesiredState.STOPPED: ["rest", "stop", "stop", "stop", "stop", "nothing", "rest", "delete", "nothing"],
    DesiredState.DELETED: ["delete"] * 8 + ["nothing"],
}


@pytest.mark.parametrize(("desired", "steps"), STEPS.items())
def test_next_step(desired, steps):
    taken = [next_step(state, desired, restart_due=False, retry_due=False) for state in InstanceState]
    assert taken == steps


def test_next_step_for_a_restart_and_a_retry():
    for state in ("provisioning", "starting", "running"):
        assert next_step(state, "running", restart_due=True, retry_due=True) == Step.STOP
    assert next_step("failed", "running", restart_due=False, retry_due=True) == Step.QUEUE
    assert next_step("failed", "stopped", restart_due=True, retry_due=True) == Step.REST


@pytest.mark.parametrize("desired", DesiredState)
@pytest.mark.parametrize("state", InstanceState)
def test_every_step_leads_along_an_arrow_towards_the_wish(state, desired):
    """Whatever the state, following the steps reaches the wish without leaving the table."""
    lands = {"queue": "queued", "start": "provisioning", "stop": "stopping", "rest": "stopped", "delete": "deleting"}
    seen = {"provisioning": "running", "starting": "running", "stopping": "stopped", "deleting": "deleted"}
    goal = {"running": "running", "stopped": "stopped", "deleted": "deleted"}[desired]
    for _ in range(8):
        step = next_step(state, desired, restart_due=False, retry_due=True)
        target = lands.get(step, state)
        if target != state:
            assert target in TRANSITIONS[state]
        state = seen.get(target, target)
        if state == goal:
            return
    assert state == "deleted"


def test_every_reason_is_explained():
    assert set(EXPLANATIONS) == set(Reason)
    for explanation in EXPLANATIONS.values():
        assert str(explanation.sentence).endswith(".")
        assert not explanation.failure or explanation.fixer != "nobody"
    assert is_failure("engine_exited")
    assert not is_failure("paused")
    assert not is_failure("")


def test_names():
    slugs = {new_slug() for _ in range(1000)}
    assert len(slugs) == 1000
    assert all(set(slug) <= set(ALPHABET) and len(slug) == 10 for slug in slugs)
    slug = slugs.pop()
    assert workload_name(slug) == f"i-{slug}"
    assert instance_slug(workload_name(slug)) == slug
    assert volume_name(slug) == f"v-{slug}"
    for alien in ("", "i-", slug, f"x-{slug}", f"i-{slug}x", f"i-{slug[:-1]}a", f"i-{slug}\n"):
        assert instance_slug(alien) is None
