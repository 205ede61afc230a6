"""What a token may do and from where: rules such as `POST /prompt` and `GET /history/*`, and networks. Pure."""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import unquote

RULES_LIMIT = 20
RULE_LENGTH = 200
NETWORKS_LIMIT = 20
_RULE = re.compile(r"(?:([A-Z]+) +)?(/[!-~]*)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")
Network = IPv4Network | IPv6Network


class BadLimit(ValueError):
    """The text is no rule, or no network."""


def read_rule(text: str) -> str:
    """Return the rule as it is kept: an optional method in capitals, one space, a path in which `*` stands for anything.

    Raises BadLimit, with the text that was not understood.
    """
    method, _, rest = text.strip().partition(" ")
    candidate = f"{method.upper()} {rest.strip()}" if rest.strip() else method
    if len(candidate) > RULE_LENGTH or not _RULE.fullmatch(candidate):
        raise BadLimit(text)
    return candidate


def read_network(text: str) -> str:
    """Return the network as it is kept, e.g. `10.1.0.0/16`; a single address is a network too. Raises BadLimit."""
    try:
        return str(ip_network(text.strip()))
    except ValueError as error:
        raise BadLimit(text) from error


def permits(rules: Iterable[str], method: str, target: str) -> bool:
    """Whether one of the rules covers the request (no rules at all cover every request). HEAD is as good as GET.

    A path that an engine might read differently than we do is covered by no rule.
    """
    rules = tuple(rules)
    if not rules:
        return True
    path = unquote(target.partition("?")[0], errors="replace")
    if not _is_plain(path):
        return False
    asked = "GET" if method == "HEAD" else method
    return any(_covers(rule, asked, path) for rule in rules)


def contains(networks: Iterable[str], address: str) -> bool:
    """Whether the address lies in one of the networks (no networks at all contain every address)."""
    networks = tuple(networks)
    if not networks:
        return True
    try:
        known = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(known, IPv6Address) and known.ipv4_mapped:
        known = known.ipv4_mapped
    return any(known in _network(network) for network in networks)


@lru_cache(maxsize=10_000)
def _network(text: str) -> Network:
    return ip_network(text)


def _is_plain(path: str) -> bool:
    """No second encoding, no empty or dot segments, nothing that some parser takes for a slash."""
    segments = path.split("/")[1:]
    odd = any(segment in {".", ".."} for segment in segments) or "" in segments[:-1]
    return path.startswith("/") and not odd and "%" not in path and not _CONTROL.search(path)


def _covers(rule: str, method: str, path: str) -> bool:
    wanted, _, glob = rule.rpartition(" ")
    return wanted in {"", method} and _matches(glob, path)


def _matches(glob: str, path: str) -> bool:
    """Piece by piece, in time proportional to the path: what people type here runs for every request."""
    first, *rest = glob.split("*")
    if not rest:
        return path == glob
    if not path.startswith(first):
        return False
    position = len(first)
    for piece in rest[:-1]:
        found = path.find(piece, position)
        if found < 0:
            return False
        position = found + len(piece)
    return len(path) - position >= len(rest[-1]) and path.endswith(rest[-1])
