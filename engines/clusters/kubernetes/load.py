"""What a Pod does, as the cluster's metrics API has it (metrics.k8s.io/v1beta1, PodMetrics), where one is installed.

https://github.com/kubernetes/metrics; metrics-server measures every 15 seconds. It knows no GPUs.
"""

from typing import Any

from engines.clusters.base import Load
from engines.clusters.kubernetes.quantities import quantity
from engines.clusters.kubernetes.rest import ApiError, Rest

# No such API, no measurement of this Pod yet; or no right to read it, which an older installation has not been given.
_NOT_TOLD = frozenset({403, 404})


def read(rest: Rest, namespace: str, pod: str) -> Load | None:
    """Read the last measurement; None where there is none. Raises as Rest does."""
    try:
        return load_of(rest.get(f"/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods/{pod}"))
    except ApiError as error:
        if error.status in _NOT_TOLD:
            return None
        raise


def load_of(metrics: dict[str, Any]) -> Load | None:
    """Sum a PodMetrics object up."""
    containers = metrics.get("containers") or ()
    cores = [quantity((each.get("usage") or {}).get("cpu", 0)) for each in containers]
    return Load(cpu_share=float(sum(cores))) if cores else None
