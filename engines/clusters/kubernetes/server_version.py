"""Which Kubernetes answers, and what workloads may only ask of one that is new enough."""

import re
from typing import NamedTuple

from engines.clusters.base import ClusterError
from engines.clusters.kubernetes.rest import Json, Rest
from engines.reasons import Reason

USER_NAMESPACES_SINCE = (1, 33)
"""From here on `hostUsers: false` holds without anybody's doing; see "User Namespaces" in Kubernetes' documentation."""


class ServerVersion(NamedTuple):
    """Major and minor number, 0 for what is not said, and the name that the server gives itself."""

    numbers: tuple[int, int]
    name: str

    @property
    def has_user_namespaces(self) -> bool:
        """Whether root of an engine is nobody on its node; an older server drops the field that says so, and says nothing."""
        return self.numbers >= USER_NAMESPACES_SINCE


def dotted(numbers: tuple[int, int]) -> str:
    """Write a version as people do."""
    return f"{numbers[0]}.{numbers[1]}"


def read_version(rest: Rest) -> ServerVersion:
    """Ask the server, which answers everybody."""
    said = rest.get("/version")
    major, minor = (_leading(str(said.get(each, ""))) for each in ("major", "minor"))
    return ServerVersion((major, minor), str(said.get("gitVersion", "")) or dotted((major, minor)))


def _leading(text: str) -> int:
    digits = re.match(r"\d+", text)  # some clouds write 28+
    return int(digits[0]) if digits else 0


class UserNamespaces:
    """Keeps images that run as root from servers where they would be root of their node."""

    def __init__(self, rest: Rest) -> None:
        """Ask nothing yet."""
        self._rest, self._has_them = rest, False

    def require_for(self, statefulset: Json) -> None:
        """ClusterError(ROOT_IMAGE) if its Pod counts on a user namespace and the server knows none; asks until one does."""
        if self._has_them or statefulset["spec"]["template"]["spec"].get("hostUsers") is not False:
            return
        version = read_version(self._rest)
        self._has_them = version.has_user_namespaces
        if not self._has_them:
            since = dotted(USER_NAMESPACES_SINCE)
            raise ClusterError(
                Reason.ROOT_IMAGE,
                f"Kubernetes {version.name} drops hostUsers, which keeps root apart from its node since {since}",
            )
