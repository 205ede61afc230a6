"""A small Kubernetes API server over real HTTP, with the controllers and a kubelet that matter to a portal.

For contract tests, fault injection and benchmarks without a cluster. kmock 0.8 was looked at first: its emulator has no
resource versions that can be compared, no generations, selectors, pages, server-side apply or bookmarks, and does not tell a
subresource from its object, so that what is tested here would have been written beside it. The words of refusals and the
sequences of states are those of a recorded Kubernetes 1.36; tests/kubernetes/test_double_recordings.py compares them.

    with KubernetesDouble(speed=20) as double:
        config = double.kubeconfig(tmp_path / "kubeconfig")

By itself: `python -m tests.kubernetes.double --port 6443 --state .data/double`.
"""

from tests.kubernetes.double.facade import KubernetesDouble
from tests.kubernetes.double.nodes import node

__all__ = ["KubernetesDouble", "node"]
