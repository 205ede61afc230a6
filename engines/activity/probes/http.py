"""One GET of an engine, which nobody trusts: bounded in time and size as a whole, no redirects, no cookies, no proxies."""

import http.client
import json
import socket
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Any

BODY_LIMIT = 256 * 1024
_CHUNK = 16 * 1024


class NoAnswer(Exception):
    """The engine did not answer usefully; the text says how."""


@dataclass(frozen=True, slots=True)
class Page:
    """Status and the JSON that came with it; `content` is None where the status is not 200."""

    status: int
    content: Any = None


class _Socket(socket.socket):
    """Every read ends at one deadline: an engine that sends a byte a second does not hold the caller for long."""

    deadline = 0.0

    def recv_into(self, *args: Any, **options: Any) -> int:
        self.settimeout(_left(self.deadline))
        return super().recv_into(*args, **options)


def get_json(address: str, path: str, *, deadline: float, limit: int = BODY_LIMIT) -> Page:
    """Ask `host:port` for a path by `deadline` (time.monotonic), for `limit` bytes at most. Raises NoAnswer."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        with closing(http.client.HTTPConnection(host, int(port))) as connection:
            connection.sock = _connect(host, int(port), deadline)
            # No Origin and no Sec-Fetch-*: ComfyUI refuses requests that seem to come from other sites.
            connection.request("GET", path, headers={"Accept": "application/json", "Connection": "close"})
            answer = connection.getresponse()
            return Page(200, json.loads(_body(answer, limit))) if answer.status == 200 else Page(answer.status)
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(str(error) or type(error).__name__) from error
    except (ValueError, RecursionError) as error:
        raise NoAnswer(f"neither JSON nor an address: {type(error).__name__}") from error


def _body(answer: http.client.HTTPResponse, limit: int) -> bytes:
    body = bytearray()
    while chunk := answer.read(_CHUNK):
        body += chunk
        if len(body) > limit:
            raise NoAnswer(f"the answer is longer than {limit} bytes")
    return bytes(body)


def _connect(host: str, port: int, deadline: float) -> _Socket:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    problem = OSError("no address")
    for family, kind, protocol, _name, address in found:
        connected = _Socket(family, kind, protocol)
        connected.deadline = deadline
        try:
            connected.settimeout(_left(deadline))
            connected.connect(address)
        except OSError as error:
            connected.close()
            problem = error
        else:
            return connected
    raise problem


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left
