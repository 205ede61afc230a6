"""Why an instance is in its state: a closed vocabulary, with a sentence for people and who can put it right."""

from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Reason(StrEnum):
    """Stored in `Instance.reason` and in events; the raw evidence is kept beside it."""

    LAUNCHED = "launched"
    RESUMED = "resumed"
    RESTARTED = "restarted"
    RETRIED = "retried"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    DELETED = "deleted"
    RENAMED = "renamed"
    CLASS_CHANGED = "class_changed"
    QUEUED = "queued"
    ADMITTED = "admitted"
    ENGINE_STARTING = "engine_starting"
    READY = "ready"
    GONE = "gone"
    NO_CAPACITY = "no_capacity"
    QUEUE_TIMEOUT = "queue_timeout"
    PROVISION_TIMEOUT = "provision_timeout"
    START_TIMEOUT = "start_timeout"
    STOP_STUCK = "stop_stuck"
    START_REFUSED = "start_refused"
    ENGINE_EXITED = "engine_exited"
    ENGINE_KILLED = "engine_killed"
    OUT_OF_MEMORY = "out_of_memory"
    DISK_FULL = "disk_full"
    NO_PORT = "no_port"
    WORKLOAD_VANISHED = "workload_vanished"
    STRAY_WORKLOAD = "stray_workload"
    VOLUME_MISSING = "volume_missing"
    INCOMPATIBLE_DATA = "incompatible_data"
    CLUSTER_UNAVAILABLE = "cluster_unavailable"


class Fixer(StrEnum):
    """Who can do something about it."""

    NOBODY = "nobody"  # nothing is wrong
    ARTIST = "artist"
    TENANT_ADMIN = "tenant_admin"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Explanation:
    """A sentence for people; `failure` when an instance that stops for it has failed."""

    sentence: Promise
    fixer: Fixer = Fixer.NOBODY
    failure: bool = False


EXPLANATIONS: dict[Reason, Explanation] = {
    Reason.LAUNCHED: Explanation(_("Launch requested.")),
    Reason.RESUMED: Explanation(_("Resume requested.")),
    Reason.RESTARTED: Explanation(_("Restart requested.")),
    Reason.RETRIED: Explanation(_("Retry requested.")),
    Reason.PAUSED: Explanation(_("Pause requested. The data is kept, and the GPU goes back to the others.")),
    Reason.CANCELLED: Explanation(_("Cancelled before the engine was up. Nothing is charged.")),
    Reason.DELETED: Explanation(_("Deletion requested.")),
    Reason.RENAMED: Explanation(_("Renamed.")),
    Reason.CLASS_CHANGED: Explanation(_("GPU class changed.")),
    Reason.QUEUED: Explanation(_("In line for a GPU.")),
    Reason.ADMITTED: Explanation(_("A GPU is reserved; the workload is being created.")),
    Reason.ENGINE_STARTING: Explanation(_("The engine process is up and loading.")),
    Reason.READY: Explanation(_("The engine answers.")),
    Reason.GONE: Explanation(_("The engine has stopped and its GPU is free.")),
    Reason.NO_CAPACITY: Explanation(_("All GPUs of this class are in use. The launch waits its turn."), Fixer.ARTIST),
    Reason.QUEUE_TIMEOUT: Explanation(
        _("No GPU of this class became free within a day. Retry, or choose another GPU class."),
        Fixer.ARTIST,
        failure=True,
    ),
    Reason.PROVISION_TIMEOUT: Explanation(
        _("The cluster did not bring the workload up in time. Retry; if it happens again, tell an operator."),
        Fixer.OPERATOR,
        failure=True,
    ),
    Reason.START_TIMEOUT: Explanation(
        _("The engine did not answer within its start-up limit. Look at its log, then retry."),
        Fixer.ARTIST,
        failure=True,
    ),
    Reason.STOP_STUCK: Explanation(
        _("The engine does not stop. It is being forced, and its GPU stays reserved until it is gone."), Fixer.OPERATOR
    ),
    Reason.START_REFUSED: Explanation(
        _("The engine could not be started at all. The engine version may be misconfigured: tell an operator."),
        Fixer.OPERATOR,
        failure=True,
    ),
    Reason.ENGINE_EXITED: Explanation(
        _("The engine ended by itself. Its data is safe. Look at its log, then retry."), Fixer.ARTIST, failure=True
    ),
    Reason.ENGINE_KILLED: Explanation(
        _("The engine was killed from outside the portal. Its data is safe; retry."), Fixer.ARTIST, failure=True
    ),
    Reason.OUT_OF_MEMORY: Explanation(
        _("The engine ran out of memory. Its data is safe. Retry with a smaller job or a larger GPU class."),
        Fixer.ARTIST,
        failure=True,
    ),
    Reason.DISK_FULL: Explanation(
        _("The disk is full, so the engine could not start. Delete data that is no longer needed, or tell an operator."),
        Fixer.OPERATOR,
        failure=True,
    ),
    Reason.NO_PORT: Explanation(
        _("No network port is free for the engine on this machine. Tell an operator."), Fixer.OPERATOR, failure=True
    ),
    Reason.WORKLOAD_VANISHED: Explanation(
        _("The engine disappeared, for instance because its machine restarted. Its data is safe; retry."),
        Fixer.ARTIST,
        failure=True,
    ),
    Reason.STRAY_WORKLOAD: Explanation(_("The engine was still running although it should not be; it is being stopped.")),
    Reason.VOLUME_MISSING: Explanation(
        _("The instance's data cannot be found on its cluster. Tell an operator before doing anything else."),
        Fixer.OPERATOR,
        failure=True,
    ),
    Reason.INCOMPATIBLE_DATA: Explanation(
        _("The data was written by another version of this engine. Choose that version, or migrate the data first."),
        Fixer.ARTIST,
        failure=True,
    ),
    Reason.CLUSTER_UNAVAILABLE: Explanation(_("The cluster does not answer. The portal keeps trying."), Fixer.OPERATOR),
}


def is_failure(reason: str) -> bool:
    """Tell whether stopping for `reason` leaves the instance failed rather than stopped."""
    return EXPLANATIONS[Reason(reason)].failure if reason else False
