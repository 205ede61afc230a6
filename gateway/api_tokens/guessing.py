"""How many tokens that do not exist one client may ask for: guessing is hopeless, but each guess would cost a query."""

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_address, ip_network

GUESSES = 20
PER_SECONDS = 60.0
CLIENTS_LIMIT = 10_000
GOOD_LIMIT = 10_000


class Guessing:
    """Counts per client address (per /64 of IPv6) in this process; tokens that were good a moment ago are never counted."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._good: OrderedDict[str, None] = OrderedDict()

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
        self._counts.move_to_end(client)
        if len(self._counts) > CLIENTS_LIMIT:
            self._counts.popitem(last=False)
        return True

    def was_good(self, digest: str, address: str) -> None:
        """The token exists: no guess after all."""
        if digest in self._good:
            return
        self._good[digest] = None
        if len(self._good) > GOOD_LIMIT:
            self._good.popitem(last=False)
        client = _client_of(address)
        if client in self._counts:
            began, count = self._counts[client]
            self._counts[client] = (began, max(0, count - 1))


def _client_of(address: str) -> str:
    """Whoever has one address of IPv6 has its whole /64."""
    try:
        known = ip_address(address)
    except ValueError:
        return ""
    return address if known.version == 4 else str(ip_network((known, 64), strict=False))
