"""The port's contract, sentence by sentence, on a real cluster."""

import pytest

from engines.clusters.kubernetes.adapter import KubernetesCluster
from tests.contract import test_cluster

for _name, _test in vars(test_cluster).items():
    if _name.startswith("test_"):
        globals()[_name] = _test


@pytest.fixture
def cluster(contract: KubernetesCluster) -> KubernetesCluster:
    """In place of those of the contract's own adapters."""
    return contract
