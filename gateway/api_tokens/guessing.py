"""How many tokens that do not exist one client may ask for: guessing is hopeless, but each guess would cost a query.

A token that does not exist never will, so its refusal is remembered for long; one that was good is never counted as a guess.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_address, ip_network

GUESSES = 20
PER_SECONDS = 60.0
REMEMBERED = 10_000


class Guessing:
    """Counts different unknown tokens per client address (per /64 of IPv6) in this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._good: OrderedDict[str, float] = OrderedDict()
        self._bad: OrderedDict[str, float] = OrderedDict()

    def is_bad(self, digest: str) -> bool:
        """Whether this token was found unknown a moment ago: a program that goes on with a revoked one costs nothing."""
        return self.clock() - self._bad.get(digest, -PER_SECONDS) < PER_SECONDS

    def may_ask(self, digest: str, address: str) -> bool:
        """Whether this token may be looked up for this client; counts it as a guess until it proves good."""
        if digest in self._good:
            return True
        client = _client_of(address)
        began, count = self._counts.get(client, (self.clock(), 0))
        if self.clock() - began >= PER_SECONDS:
            began, count = self.clock(), 0
        if count >= GUESSES:
            return False
        self._counts[client] = (began, count + 1)
        _trim(self._counts)
        return True

    def was_bad(self, digest: str) -> None:
        """The token does not exist."""
        self._good.pop(digest, None)
        self._bad[digest] = self.clock()
        _trim(self._bad)

    def was_good(self, digest: str, address: str) -> None:
        """The token exists: no guess after all."""
        if digest in self._good:
            return
        self._good[digest] = self.clock()
        _trim(self._good)
        client = _client_of(address)
        if client in self._counts:
            began, count = self._counts[client]
            self._counts[client] = (began, max(0, count - 1))


def _trim(kept: "OrderedDict[str, float] | OrderedDict[str, tuple[float, int]]") -> None:
    if len(kept) > REMEMBERED:
        kept.popitem(last=False)


def _client_of(address: str) -> str:
    """Whoever has one address of IPv6 has its whole /64."""
    try:
        known = ip_address(address)
    except ValueError:
        return ""
    return address if known.version == 4 else str(ip_network((known, 64), strict=False))
