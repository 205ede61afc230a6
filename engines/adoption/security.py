"""The user that an engine runs as, and the rights that tenants' engines do not get."""

from engines import catalog_schema as schema
from engines.adoption.findings import Decider, Fields, Reasons, misfit

_RIGHTS: Reasons = {
    "privileged": ("engines get no rights over their node", Decider.IMAGE),
    "add": ("engines get no additional capabilities", Decider.IMAGE),
    "allowPrivilegeEscalation": ("engines cannot gain rights after their start", Decider.IMAGE),
    "sysctls": ("settings of the kernel belong to the cluster", Decider.CLUSTER),
    "fsGroup": ("the volume gets the group of the engine's user", Decider.NOBODY),
    "runAsGroup": ("the group is that of the engine's user", Decider.NOBODY),
}


def read_user(pod: Fields, container: Fields) -> int | str | None:
    """The user, the container's before the Pod's, as the catalog writes it; None where only the image knows."""
    own, whole = container.mapping("securityContext"), pod.mapping("securityContext")
    users = [fields.take("runAsUser") for fields in (own, whole)]
    for fields in (own, whole):
        fields.take("runAsNonRoot", "seccompProfile", "fsGroupChangePolicy")
        capabilities = fields.mapping("capabilities")
        capabilities.take("drop")
        capabilities.report_rest(_RIGHTS)
        fields.report_rest(_RIGHTS)
    user = next((user for user in users if user is not None and not misfit(schema.Uid, user)), None)
    return "root" if user == 0 else user
