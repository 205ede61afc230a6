"""The life cycle as data: what may be wished, what may be seen, and the next step from one to the other. Pure."""

from enum import StrEnum


class DesiredState(StrEnum):
    """What a person asked for."""

    RUNNING = "running"
    STOPPED = "stopped"
    DELETED = "deleted"


class InstanceState(StrEnum):
    """What was last seen."""

    QUEUED = "queued"
    PROVISIONING = "provisioning"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    DELETING = "deleting"
    DELETED = "deleted"


S = InstanceState
TRANSITIONS: dict[str, frozenset[str]] = {
    S.QUEUED: frozenset({S.PROVISIONING, S.STOPPED, S.FAILED, S.DELETING}),
    S.PROVISIONING: frozenset({S.STARTING, S.RUNNING, S.STOPPING, S.FAILED, S.DELETING}),
    S.STARTING: frozenset({S.RUNNING, S.STOPPING, S.FAILED, S.DELETING}),
    S.RUNNING: frozenset({S.STARTING, S.STOPPING, S.FAILED, S.DELETING}),
    S.STOPPING: frozenset({S.STOPPED, S.FAILED, S.DELETING}),
    # STOPPED and FAILED lead to STOPPING when a workload is seen alive that should not be.
    S.STOPPED: frozenset({S.QUEUED, S.STOPPING, S.DELETING}),
    S.FAILED: frozenset({S.QUEUED, S.STOPPED, S.STOPPING, S.DELETING}),
    S.DELETING: frozenset({S.DELETED}),
    S.DELETED: frozenset(),
}
"""Every allowed move; all others are refused."""

HOLDS_GPU = frozenset({S.PROVISIONING, S.STARTING, S.RUNNING, S.STOPPING, S.DELETING})
"""States in which the instance's slot is taken: until the workload is seen gone."""

COMING_UP = frozenset({S.QUEUED, S.PROVISIONING, S.STARTING})
RESTING = frozenset({S.RUNNING, S.STOPPED, S.FAILED, S.DELETED})
"""States that last until somebody wishes otherwise or the cluster says otherwise."""

PHASE_LIMIT_SECONDS: dict[str, int] = {S.QUEUED: 24 * 3600, S.PROVISIONING: 600, S.STOPPING: 120, S.DELETING: 180}
"""How long a phase may take, in seconds; STARTING's limit is the engine version's own."""


class Step(StrEnum):
    """What the reconciler does next."""

    NOTHING = "nothing"
    QUEUE = "queue"  # wait for a GPU
    START = "start"  # take a GPU and apply the workload
    APPLY = "apply"  # apply again: the last apply may have been lost
    STOP = "stop"
    REST = "rest"  # nothing runs: settle as stopped
    DELETE = "delete"


_TO_RUNNING = {
    S.QUEUED: Step.START,
    S.PROVISIONING: Step.APPLY,
    S.STARTING: Step.APPLY,
    S.STOPPING: Step.STOP,
    S.STOPPED: Step.QUEUE,
}
_TO_STOPPED = {
    S.QUEUED: Step.REST,
    S.PROVISIONING: Step.STOP,
    S.STARTING: Step.STOP,
    S.RUNNING: Step.STOP,
    S.STOPPING: Step.STOP,
    S.FAILED: Step.REST,
}


def next_step(state: str, desired: str, *, restart_due: bool, retry_due: bool) -> Step:
    """Return the one step that brings `state` nearer to `desired`.

    `restart_due`: the running workload is older than a wish for a fresh one.
    `retry_due`: somebody wished again since the instance failed.
    """
    if state == S.DELETED:
        return Step.NOTHING
    if desired == DesiredState.DELETED or state == S.DELETING:
        return Step.DELETE
    if desired == DesiredState.STOPPED:
        return _TO_STOPPED.get(S(state), Step.NOTHING)
    if restart_due and state in {S.PROVISIONING, S.STARTING, S.RUNNING}:
        return Step.STOP
    if state == S.FAILED:
        return Step.QUEUE if retry_due else Step.NOTHING
    return _TO_RUNNING.get(S(state), Step.NOTHING)
