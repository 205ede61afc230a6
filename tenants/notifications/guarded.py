"""HTTP to addresses that people typed: never into our own networks, never longer than agreed, never elsewhere by a redirect.

The name is resolved once, every address that it has is judged, and the connection goes to an address that was judged: a name that
means something else a moment later (DNS rebinding) changes nothing. Networks that the operator names are allowed all the same,
and in them alone `http` is.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 15.0
TOTAL_SECONDS = 20.0
PORTS_BELOW_1024 = frozenset({80, 443})
# Public by their number, but the door to a machine's configuration within two clouds; and what Python's tables, which differ
# between its releases, take for public: local translation (RFC 8215), site-local addresses (RFC 3879).
_NOT_PUBLIC = tuple(ipaddress.ip_network(text) for text in ("168.63.129.16/32", "192.0.0.0/24", "64:ff9b:1::/48", "fec0::/10"))
# IPv6 addresses in which a translator (RFC 6052) finds an IPv4 address.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class Malformed(ValueError):
    """Not an address that a webhook could have; the text says why, for the log."""


class Forbidden(Exception):
    """The name leads to where webhooks may not go; the text says where."""


class UnknownHost(Exception):
    """DNS does not know the name, or cannot be asked."""


class TooSlow(Exception):
    """There was no whole answer within the agreed time."""


@dataclass(frozen=True)
class Target:
    """A parsed http(s) address; `authority` is what belongs into the Host header, `path` has the query."""

    secure: bool
    host: str
    port: int
    authority: str
    path: str

    @classmethod
    def of(cls, url: str) -> Self:
        """Parse; Malformed for other schemes, credentials, strange ports, and what is no host name."""
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").encode("idna").decode(), parts.port
        except (ValueError, UnicodeError) as error:
            raise Malformed(str(error)) from error
        if parts.scheme not in {"http", "https"} or not host or parts.username is not None or not url.isprintable() or " " in url:
            raise Malformed("not an http or https address of a host")
        if port is None:
            port = 443 if parts.scheme == "https" else 80
        if port < 1024 and port not in PORTS_BELOW_1024:
            raise Malformed(f"port {port} is for other things than webhooks")
        shown = f"[{host}]" if ":" in host else host
        authority = shown if parts.port is None else f"{shown}:{port}"
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.scheme == "https", host, port, authority, path)


@dataclass(frozen=True)
class Answer:
    """What the receiver said; its text is nobody's business here."""

    status: int
    retry_after: str


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the internet's own, also when it hides an IPv4 address."""
    if isinstance(address, ipaddress.IPv6Address):
        hidden = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in _NAT64:
            hidden = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if hidden is not None:
            return is_public(hidden)
    return address.is_global and not address.is_multicast and not any(_within(address, network) for network in _NOT_PUBLIC)


def _within(address: Address, network: Network) -> bool:
    return address.version == network.version and address in network


def judged_addresses(target: Target, allowed: Sequence[Network]) -> list[Address]:
    """Resolve the name; UnknownHost, or Forbidden if any of its addresses is neither public nor in an allowed network."""
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UnknownHost(str(error)) from error
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for address in addresses:
        within = any(_within(address, network) for network in allowed)
        if not within and not is_public(address):
            raise Forbidden(f"{target.host} is {address}")
        if not within and not target.secure:
            raise Forbidden(f"http to {address}")
    return addresses


def post(
    url: str, body: bytes, headers: Mapping[str, str], *, allowed: Sequence[Network], total_seconds: float = TOTAL_SECONDS
) -> Answer:
    """Send a request and read how it was answered. Raises Malformed, Forbidden, UnknownHost, TooSlow, ssl.SSLError or OSError."""
    target = Target.of(url)
    deadline = time.monotonic() + total_seconds
    line = _connect(judged_addresses(target, allowed), target.port, deadline)
    if target.secure:
        line = ssl.create_default_context().wrap_socket(line, server_hostname=target.host, do_handshake_on_connect=False)
    # Bytes that drip in keep every single wait short: only somebody else can end the whole.
    cut = threading.Timer(max(0.0, deadline - time.monotonic()), _cut, [line])
    cut.daemon = True
    with closing(line):
        cut.start()
        try:
            answer = _exchange(line, target, body, headers)
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, TimeoutError) or time.monotonic() >= deadline:
                raise TooSlow(f"no answer within {total_seconds:g} s") from error
            if isinstance(error, OSError):
                raise
            raise ConnectionError(f"no HTTP answer: {error!r}") from error
        finally:
            cut.cancel()
    if time.monotonic() >= deadline:  # headers that were cut off look like headers that have ended
        raise TooSlow(f"no answer within {total_seconds:g} s")
    return answer


def _connect(addresses: Sequence[Address], port: int, deadline: float) -> socket.socket:
    """Connect to the first address that takes the connection; the last one's error if none does."""
    problem: OSError | None = None
    for address in addresses:
        seconds = min(CONNECT_SECONDS, deadline - time.monotonic())
        if seconds <= 0:
            break
        try:
            line = socket.create_connection((str(address), port), timeout=seconds)
        except OSError as error:
            problem = error
            continue
        line.settimeout(SILENCE_SECONDS)
        return line
    if problem is None or isinstance(problem, TimeoutError):
        raise TooSlow("no connection in time") from problem
    raise problem


def _exchange(line: socket.socket, target: Target, body: bytes, headers: Mapping[str, str]) -> Answer:
    if isinstance(line, ssl.SSLSocket):
        line.do_handshake()
    connection = http.client.HTTPConnection(target.host, target.port)
    connection.sock = line
    connection.auto_open = 0  # it must never resolve and connect by itself
    connection.request("POST", target.path, body, {"Host": target.authority, "Connection": "close", **headers})
    with connection.getresponse() as answer:
        return Answer(answer.status, answer.getheader("Retry-After") or "")


def _cut(line: socket.socket) -> None:
    """End a connection under whoever waits for it, without the farewell of TLS, for which it would wait too."""
    with suppress(OSError):
        socket.socket.shutdown(line, socket.SHUT_RDWR)
