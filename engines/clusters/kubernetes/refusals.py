"""The API server's refusals in the words of the port: what will never work, and what may work later."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from engines.clusters.base import ClusterError, ClusterUnavailable
from engines.clusters.kubernetes.rest import ApiError
from engines.reasons import Reason

# By the words of the message, since all of these are 403 Forbidden or 400 with the same reason.
_WORDS: tuple[tuple[re.Pattern[str], Reason], ...] = (
    (re.compile(r"exceeded quota|maximum .* usage per|minimum .* usage per"), Reason.QUOTA_EXCEEDED),
    (re.compile(r"violates PodSecurity|admission webhook .* denied|denied the request|unable to validate against any security"),
     Reason.REFUSED_BY_POLICY),
)  # fmt: skip
_TERMINATING = re.compile(r"being terminated")


@contextmanager
def refusals() -> Iterator[None]:
    """Turn an ApiError that nobody expected into what the port knows."""
    try:
        yield
    except ApiError as error:
        raise translate(error) from error


def translate(error: ApiError) -> ClusterError | ClusterUnavailable:
    """Say whether trying the same again may help, and why not."""
    if error.status == 403 and _TERMINATING.search(error.message):
        return ClusterUnavailable(str(error))
    if error.status in {409, 410}:
        return ClusterUnavailable(f"somebody changed it at the same moment: {error}")
    for words, reason in _WORDS:
        if words.search(error.message):
            return ClusterError(reason, str(error))
    if error.status == 403:
        return ClusterError(Reason.CLUSTER_FORBIDS, str(error))
    return ClusterError(Reason.START_REFUSED, str(error))
