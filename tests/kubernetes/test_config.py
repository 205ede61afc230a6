"""A cluster's configuration: everything has a default, and what is wrong is refused by its key."""

from typing import Any

import pytest

from engines.clusters.kubernetes.config import KubernetesConfig, read_config


def test_nothing_is_required() -> None:
    assert read_config("lab", {}) == KubernetesConfig(slug="lab")


def test_a_version_becomes_comparable() -> None:
    assert read_config("lab", {"version": "1.36"}).version == (1, 36)


def test_an_address_is_the_range_of_one() -> None:
    addresses = ["169.254.20.10", "fd00::10", "10.9.0.0/24"]
    assert read_config("lab", {"dns_addresses": addresses}).dns_addresses == ("169.254.20.10/32", "fd00::10/128", "10.9.0.0/24")


def test_pools_have_labels_of_their_own_or_ours_and_an_order() -> None:
    pools = read_config("lab", {"pools": {"cloud": {}, "onprem": {"topology.kubernetes.io/zone": "hall-1"}}}).pools
    assert list(pools.items()) == [
        ("onprem", {"topology.kubernetes.io/zone": "hall-1"}),
        ("cloud", {"aigc-portal.io/pool": "cloud"}),
    ]


def test_the_refusal_of_slots_says_what_to_write() -> None:
    with pytest.raises(ValueError, match=r"^“slots”: “l4” must say in which pool, such as “onprem/l4”$"):
        read_config("lab", {"pools": {"onprem": {}, "cloud": {}}, "slots": {"l4": 1}})


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"kubeconfg": "/a"}, "kubeconfg"),
        ({"slug": "x"}, "slug"),
        ({"kubeconfig_content": "x"}, "kubeconfig_content"),
        ({"kubeconfig": "relative"}, "kubeconfig"),
        ({"kubeconfig": "/a", "in_cluster": True}, "in_cluster"),
        ({"in_cluster": True, "context": "a"}, "context"),
        ({"version": "1.28"}, "version"),
        ({"version": 1.36}, "version"),
        ({"namespace_prefix": "kube-"}, "namespace_prefix"),
        ({"namespace_prefix": "a" * 24}, "namespace_prefix"),
        ({"access_mode": "ReadOnlyMany"}, "access_mode"),
        ({"service_port": 0}, "service_port"),
        ({"service_port": True}, "service_port"),
        ({"upstream": "ip"}, "upstream"),
        ({"gateway_cidrs": ["0.0.0.0/0"]}, "gateway_cidrs"),
        ({"pod_cidrs": ["10.0.0.1/8"]}, "pod_cidrs"),
        ({"dns_addresses": "169.254.20.10"}, "dns_addresses"),
        ({"dns_addresses": ["169.254.20.10:53"]}, "dns_addresses"),
        ({"dns_addresses": ["node-local-dns"]}, "dns_addresses"),
        ({"dns_addresses": ["169.254.20.10/16"]}, "dns_addresses"),
        ({"dns_addresses": ["::/0"]}, "dns_addresses"),
        ({"run_as": 0}, "run_as"),
        ({"pod_security": "privileged"}, "pod_security"),
        ({"quota": {"pods": 2}}, "quota"),
        ({"limits": {"Node": {}}}, "limits"),
        ({"pools": {"a": {}}}, "pools"),
        ({"pools": ["onprem"]}, "pools"),
        ({"pools": {"onprem": None}}, "pools.onprem"),
        ({"pools": {"onprem": {"a b": "c"}}}, "pools.onprem"),
        ({"pools": {"onprem": {"zone": "a"}, "cloud": {"zone": "a", "tier": "b"}}}, "pools"),
        ({"pools": {"onprem": {"zone": "a"}, "cloud": {"zone": "a"}}}, "pools"),
        ({"pools": {"onprem": {}, "cloud": {}}, "slots": {"l4": 1}}, "slots"),
        ({"pools": {"cloud": {}}, "slots": {"onprem/l4": 1}}, "slots"),
        ({"slots": {"cloud/l4": 1}}, "slots"),
        ({"slots": {"l4": -1}}, "slots"),
        ({"request_timeout_seconds": 0}, "request_timeout_seconds"),
    ],
)
def test_what_is_wrong_is_named(config: dict[str, Any], key: str) -> None:
    with pytest.raises(ValueError, match=f"“{key}”"):
        read_config("lab", config)
