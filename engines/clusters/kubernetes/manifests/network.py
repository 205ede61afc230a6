"""NetworkPolicies of a tenant's namespace: nothing in, nothing out, but for what is named here. Pure."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from engines.clusters.kubernetes.config import KubernetesConfig
from engines.clusters.kubernetes.labels import ROLE, ROLE_ENGINE, ROLE_FILES

PORT_NAME = "http"
PORTAL_COMPONENTS = ("gateway", "worker")
"""Values of app.kubernetes.io/component of the portal's own Pods that call engines: people's traffic, and probes."""
FILES_COMPONENTS = ("web", "worker")
"""The same for file rooms, which the portal's own pages show."""

# Ranges that are no public internet; 168.63.129.16 answers for Azure's platform on a public address.
_NOT_PUBLIC_IPV4 = (
    "10.0.0.0/8",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "127.0.0.0/8",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "168.63.129.16/32",
)
_PUBLIC_IPV6 = "2000::/3"

_Network = IPv4Network | IPv6Network


def network_policies(config: KubernetesConfig, common: dict[str, Any]) -> list[dict[str, Any]]:
    """Deny everything, then let in the portal, and let engines out to names and the public internet.

    A file room answers the portal and calls nobody.
    """
    return [
        _policy("default-deny", common, {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}),
        _policy("engine-ingress", common, _ingress(config, ROLE_ENGINE, PORTAL_COMPONENTS)),
        _policy("engine-egress", common, _egress(config)),
        _policy("files-ingress", common, _ingress(config, ROLE_FILES, FILES_COMPONENTS)),
    ]


def _policy(name: str, common: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name, **common}, "spec": spec}


def _ingress(config: KubernetesConfig, role: str, components: Sequence[str]) -> dict[str, Any]:
    portal = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": config.gateway_namespace}},
        "podSelector": {
            "matchExpressions": [{"key": "app.kubernetes.io/component", "operator": "In", "values": list(components)}]
        },
    }
    further = [{"ipBlock": {"cidr": cidr}} for cidr in config.gateway_cidrs]
    return {
        "podSelector": {"matchLabels": {ROLE: role}},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [portal, *further], "ports": [{"protocol": "TCP", "port": PORT_NAME}]}],
    }


def _egress(config: KubernetesConfig) -> dict[str, Any]:
    names = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    elsewhere = [{"ipBlock": {"cidr": cidr}} for cidr in config.dns_addresses]
    internet = _public("0.0.0.0/0", (*_NOT_PUBLIC_IPV4, *config.pod_cidrs)) + _public(_PUBLIC_IPV6, config.pod_cidrs)
    return {
        "podSelector": {"matchLabels": {ROLE: ROLE_ENGINE}},
        "policyTypes": ["Egress"],
        "egress": [
            {"to": [names, *elsewhere], "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]},
            {"to": internet, "ports": [{"protocol": "TCP", "port": 443}, {"protocol": "TCP", "port": 80}]},
        ],
    }


def _public(cidr: str, without: Sequence[str]) -> list[dict[str, Any]]:
    """One block of addresses without some ranges. The API server wants each exception strictly inside its block."""
    block, exceptions = ip_network(cidr), list[_Network]()
    for each in map(ip_network, without):
        if _within(block, each):
            return []
        if _within(each, block) and not any(_within(each, other) for other in exceptions):
            exceptions.append(each)
    return [{"ipBlock": {"cidr": cidr} | ({"except": [str(each) for each in exceptions]} if exceptions else {})}]


def _within(inner: _Network, outer: _Network) -> bool:
    """Tell whether all addresses of one range lie in the other."""
    if isinstance(inner, IPv4Network):
        return isinstance(outer, IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, IPv6Network) and inner.subnet_of(outer)
