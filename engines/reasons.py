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
    # Released by the portal, not by a person: why nobody needed it.
    IDLE_RELEASED = "idle_released"
    QUEUE_EMPTY = "queue_empty"
    SCHEDULE_STOPPED = "schedule_stopped"
    LIFE_OVER = "life_over"
    BUSY_TOO_LONG = "busy_too_long"
    UNKNOWN_TOO_LONG = "unknown_too_long"
    PORTAL_STOPPED = "portal_stopped"
    BUDGET_SPENT = "budget_spent"
    # Released because of how its tenant or its owner stands.
    TENANT_SUSPENDED = "tenant_suspended"
    TENANT_ENDING = "tenant_ending"
    TENANT_DELETED = "tenant_deleted"
    OWNER_LEFT = "owner_left"
    KEPT = "kept"
    WHEN_FREE = "when_free"
    NOT_WHEN_FREE = "not_when_free"
    SCHEDULE_STARTED = "schedule_started"
    SCHEDULE_FAILED = "schedule_failed"
    DELETED = "deleted"
    RENAMED = "renamed"
    CLASS_CHANGED = "class_changed"
    TAG_CHANGED = "tag_changed"
    SHARED = "shared"
    SHARE_CHANGED = "share_changed"
    SHARE_ENDED = "share_ended"
    HANDED_OVER = "handed_over"
    COLLEAGUES_DATA = "colleagues_data"
    QUEUED = "queued"
    ADMITTED = "admitted"
    ENGINE_STARTING = "engine_starting"
    READY = "ready"
    GONE = "gone"
    NO_CAPACITY = "no_capacity"
    SHARED_GPU_TAKEN = "shared_gpu_taken"
    BURST = "burst"
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
    CLUSTER_FORBIDS = "cluster_forbids"
    # What clusters that schedule say of a workload. First, why there is no machine for it yet.
    QUOTA_EXCEEDED = "quota_exceeded"
    REFUSED_BY_POLICY = "refused_by_policy"
    CLASS_MISCONFIGURED = "class_misconfigured"
    HELD_BY_CLUSTER = "held_by_cluster"
    NO_SUCH_GPU = "no_such_gpu"
    NODES_FULL = "nodes_full"
    NODES_CLOSED = "nodes_closed"
    NO_NODES = "no_nodes"
    ADDING_NODE = "adding_node"
    CLUSTER_WAITS = "cluster_waits"
    VOLUME_WAITS = "volume_waits"
    VOLUME_FAILED = "volume_failed"
    VOLUME_ELSEWHERE = "volume_elsewhere"
    VOLUME_IN_USE = "volume_in_use"
    # Then, how it is being set up on its machine.
    PLACED = "placed"
    VOLUME_ATTACH = "volume_attach"
    VOLUME_MOUNT = "volume_mount"
    NETWORK_SETUP = "network_setup"
    IMAGE_PULLING = "image_pulling"
    IMAGE_PULL_FAILED = "image_pull_failed"
    IMAGE_NOT_FOUND = "image_not_found"
    IMAGE_DENIED = "image_denied"
    REGISTRY_UNREACHABLE = "registry_unreachable"
    CONFIG_MISSING = "config_missing"
    ROOT_IMAGE = "root_image"
    CREATE_FAILED = "create_failed"
    NODE_REFUSED = "node_refused"
    # Last, what ended it.
    GPU_MEMORY = "gpu_memory"
    GPU_BROKEN = "gpu_broken"
    SCRATCH_FULL = "scratch_full"
    EVICTED = "evicted"
    PREEMPTED = "preempted"
    NODE_DRAINED = "node_drained"
    NODE_LOST = "node_lost"


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
    Reason.PAUSED: Explanation(_("Paused on request. The data is kept, and the GPU goes back to the others.")),
    Reason.CANCELLED: Explanation(_("Cancelled before the engine was up. Nothing is charged.")),
    Reason.IDLE_RELEASED: Explanation(
        _("Nobody used the engine and it was not busy, so its GPU was released. The data is kept.")
    ),
    Reason.QUEUE_EMPTY: Explanation(_("The queue was empty, so the GPU was released as asked. The data is kept.")),
    Reason.SCHEDULE_STOPPED: Explanation(_("Paused by its schedule. The data is kept.")),
    Reason.LIFE_OVER: Explanation(
        _("It had run for as long as it may at a time. The data is kept, and it can be resumed at once.")
    ),
    Reason.BUSY_TOO_LONG: Explanation(
        _("The engine was busy for longer than it may be, so its GPU was released. The data is kept."), Fixer.TENANT_ADMIN
    ),
    Reason.UNKNOWN_TOO_LONG: Explanation(
        _("Nobody used the engine and it did not say whether it was busy, so its GPU was released. The data is kept."),
        Fixer.OPERATOR,
    ),
    Reason.PORTAL_STOPPED: Explanation(
        _("Paused because the portal was stopped. The data is kept, and it can be resumed at once.")
    ),
    Reason.BUDGET_SPENT: Explanation(
        _("A budget is used up, so its GPU was released. The data is kept; it can be resumed once there is room in the budget."),
        Fixer.TENANT_ADMIN,
    ),
    Reason.TENANT_SUSPENDED: Explanation(
        _("The tenant is suspended, so its GPU was released. The data is kept."), Fixer.OPERATOR
    ),
    Reason.TENANT_ENDING: Explanation(
        _("The tenant is to be deleted, so its GPU was released. Until then the data is kept."), Fixer.TENANT_ADMIN
    ),
    Reason.TENANT_DELETED: Explanation(_("The tenant was deleted, and everything in it.")),
    Reason.OWNER_LEFT: Explanation(
        _("Its owner is no longer a member, so its GPU was released. The data is kept; an admin can hand it over."),
        Fixer.TENANT_ADMIN,
    ),
    Reason.KEPT: Explanation(_("Asked to stay on for longer.")),
    Reason.WHEN_FREE: Explanation(_("Asked to be released as soon as its queue is empty.")),
    Reason.NOT_WHEN_FREE: Explanation(_("No longer to be released when its queue is empty.")),
    Reason.SCHEDULE_STARTED: Explanation(_("Started by its schedule.")),
    Reason.SCHEDULE_FAILED: Explanation(_("Its schedule could not start it."), Fixer.ARTIST),
    Reason.DELETED: Explanation(_("Deletion requested.")),
    Reason.RENAMED: Explanation(_("Renamed.")),
    Reason.CLASS_CHANGED: Explanation(_("GPU class changed.")),
    Reason.TAG_CHANGED: Explanation(_("Its costs are for another project.")),
    Reason.SHARED: Explanation(_("Shared.")),
    Reason.SHARE_CHANGED: Explanation(_("The end of a share changed.")),
    Reason.SHARE_ENDED: Explanation(_("No longer shared.")),
    Reason.HANDED_OVER: Explanation(_("Handed over.")),
    Reason.COLLEAGUES_DATA: Explanation(_("Launched with a colleague’s data.")),
    Reason.QUEUED: Explanation(_("In line for a GPU.")),
    Reason.ADMITTED: Explanation(_("A GPU is reserved; the workload is being created.")),
    Reason.ENGINE_STARTING: Explanation(_("The engine process is up and loading.")),
    Reason.READY: Explanation(_("The engine answers.")),
    Reason.GONE: Explanation(_("The engine has stopped and its GPU is free.")),
    Reason.NO_CAPACITY: Explanation(_("All GPUs of this class are in use. The launch waits its turn."), Fixer.ARTIST),
    Reason.SHARED_GPU_TAKEN: Explanation(
        _("Another team uses these shared GPUs now. One card does not keep teams apart, so the launch waits until it is done."),
        Fixer.ARTIST,
    ),
    Reason.BURST: Explanation(_("No GPU became free on premises in time, so the launch moved to the cloud.")),
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
    Reason.CLUSTER_FORBIDS: Explanation(
        _("The cluster does not let the portal do this. Tell an operator: a right is missing."), Fixer.OPERATOR, failure=True
    ),
    Reason.CLUSTER_UNAVAILABLE: Explanation(_("The cluster does not answer. The portal keeps trying."), Fixer.OPERATOR),
    Reason.QUOTA_EXCEEDED: Explanation(
        _("The team has used up its share of this cluster. The launch goes on as soon as one of its engines stops."),
        Fixer.TENANT_ADMIN,
    ),
    Reason.REFUSED_BY_POLICY: Explanation(
        _("A rule of the cluster forbids this workload. Tell an operator."), Fixer.OPERATOR, failure=True
    ),
    Reason.CLASS_MISCONFIGURED: Explanation(
        _("The machines turn this GPU class away: they serve other ends, or the class is set up wrongly. Tell an operator."),
        Fixer.OPERATOR,
        failure=True,
    ),
    Reason.HELD_BY_CLUSTER: Explanation(_("The cluster keeps a queue of its own and holds the launch until there is room.")),
    Reason.NO_SUCH_GPU: Explanation(
        _("No machine of this cluster has the GPUs of this class. Choose another GPU class, or tell an operator."),
        Fixer.OPERATOR,
        failure=True,
    ),
    Reason.NODES_FULL: Explanation(
        _("No machine has enough processor or memory left. The launch waits; a smaller GPU class may start sooner."),
        Fixer.ARTIST,
    ),
    Reason.NODES_CLOSED: Explanation(
        _("The machines of this GPU class are closed for maintenance or not ready yet. The launch waits for them."),
        Fixer.OPERATOR,
    ),
    Reason.NO_NODES: Explanation(_("The cluster has no machines at the moment. Tell an operator."), Fixer.OPERATOR, failure=True),
    Reason.ADDING_NODE: Explanation(_("The cluster is adding a machine, which takes a few minutes.")),
    Reason.CLUSTER_WAITS: Explanation(
        _("The cluster has not started the engine yet, for a reason of its own. Operators see its words."), Fixer.OPERATOR
    ),
    Reason.VOLUME_WAITS: Explanation(_("The volume is being prepared.")),
    Reason.VOLUME_FAILED: Explanation(
        _("The cluster's storage has not been able to prepare the volume. Tell an operator."), Fixer.OPERATOR, failure=True
    ),
    Reason.VOLUME_ELSEWHERE: Explanation(
        _("The data lies in a part of the cluster where no GPU of this class is free. The launch waits its turn."),
        Fixer.ARTIST,
    ),
    Reason.VOLUME_IN_USE: Explanation(
        _("The volume is still in use by another workload. The launch goes on as soon as it is free."), Fixer.OPERATOR
    ),
    Reason.PLACED: Explanation(_("A machine has been found, and the engine is being set up on it.")),
    Reason.VOLUME_ATTACH: Explanation(
        _("The volume is still attached to another machine, or cannot be attached. That can take several minutes."),
        Fixer.OPERATOR,
    ),
    Reason.VOLUME_MOUNT: Explanation(
        _("The volume cannot be opened on its machine. The cluster keeps trying."), Fixer.OPERATOR, failure=True
    ),
    Reason.NETWORK_SETUP: Explanation(
        _("The cluster has not been able to set up the engine's network. It keeps trying."), Fixer.OPERATOR, failure=True
    ),
    Reason.IMAGE_PULLING: Explanation(
        _("The image of this engine version is being downloaded. The first time on a machine takes longest.")
    ),
    Reason.IMAGE_PULL_FAILED: Explanation(
        _("The image of this engine version could not be downloaded. The cluster keeps trying."), Fixer.OPERATOR, failure=True
    ),
    Reason.IMAGE_NOT_FOUND: Explanation(
        _("The image of this engine version does not exist. Tell an operator."), Fixer.OPERATOR, failure=True
    ),
    Reason.IMAGE_DENIED: Explanation(
        _("The registry refuses to hand out the image of this engine version. Tell an operator."), Fixer.OPERATOR, failure=True
    ),
    Reason.REGISTRY_UNREACHABLE: Explanation(
        _("The registry with the image of this engine version does not answer. The cluster keeps trying."),
        Fixer.OPERATOR,
        failure=True,
    ),
    Reason.CONFIG_MISSING: Explanation(
        _("Something that this engine version needs, such as a secret, is missing from the cluster. Tell an operator."),
        Fixer.OPERATOR,
        failure=True,
    ),
    Reason.ROOT_IMAGE: Explanation(
        _("The image of this engine version wants to run as root, which the cluster does not allow. Tell an operator."),
        Fixer.OPERATOR,
        failure=True,
    ),
    Reason.CREATE_FAILED: Explanation(
        _("The machine could not create the engine's container. Retry; if it happens again, tell an operator."),
        Fixer.OPERATOR,
        failure=True,
    ),
    Reason.NODE_REFUSED: Explanation(
        _("The machine turned the workload away. Retry; if it happens again, tell an operator."), Fixer.OPERATOR, failure=True
    ),
    Reason.GPU_MEMORY: Explanation(
        _("The engine ran out of GPU memory. Its data is safe. Retry with a smaller job, or a GPU class with more memory."),
        Fixer.ARTIST,
        failure=True,
    ),
    Reason.GPU_BROKEN: Explanation(
        _("The GPU or its driver does not work. Retry, and tell an operator so that the machine can be repaired."),
        Fixer.OPERATOR,
        failure=True,
    ),
    Reason.SCRATCH_FULL: Explanation(
        _("The engine used up its temporary disk space and was ended. Its volume is safe. Retry with a smaller job."),
        Fixer.ARTIST,
        failure=True,
    ),
    Reason.EVICTED: Explanation(
        _("The machine ran short of resources and ended the engine. Its data is safe; retry."), Fixer.OPERATOR, failure=True
    ),
    Reason.PREEMPTED: Explanation(
        _("The engine had to make room for a workload of higher priority. Its data is safe; retry."),
        Fixer.OPERATOR,
        failure=True,
    ),
    Reason.NODE_DRAINED: Explanation(
        _("The engine's machine is being taken out of service. The data is safe; retry to start on another machine."),
        Fixer.ARTIST,
        failure=True,
    ),
    Reason.NODE_LOST: Explanation(
        _("The engine's machine does not answer. The data is safe, but stays with that machine until an operator steps in."),
        Fixer.OPERATOR,
        failure=True,
    ),
}


NO_MACHINE_FITS = frozenset(
    {
        Reason.NO_CAPACITY,
        Reason.NODES_FULL,
        Reason.NODES_CLOSED,
        Reason.NO_SUCH_GPU,
        Reason.NO_NODES,
        Reason.CLASS_MISCONFIGURED,
    }
)
"""Why a cluster has no machine for a workload although a slot was counted for it."""


def is_failure(reason: str) -> bool:
    """Tell whether stopping for `reason` leaves the instance failed rather than stopped."""
    return EXPLANATIONS[Reason(reason)].failure if reason else False


RELEASES = frozenset(
    {
        Reason.IDLE_RELEASED,
        Reason.QUEUE_EMPTY,
        Reason.SCHEDULE_STOPPED,
        Reason.LIFE_OVER,
        Reason.BUSY_TOO_LONG,
        Reason.UNKNOWN_TOO_LONG,
        Reason.PORTAL_STOPPED,
        Reason.BUDGET_SPENT,
        Reason.TENANT_SUSPENDED,
        Reason.TENANT_ENDING,
        Reason.OWNER_LEFT,
    }
)
"""Why the portal itself gives a GPU back."""
