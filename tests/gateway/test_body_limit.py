"""How much one request may carry: little to the portal, whatever they like to engines."""

import http.client
import json
from collections.abc import Mapping
from types import MappingProxyType

import pytest
from django.conf import settings

from engines.files.base import PIECE_BYTES
from tests.gateway.driving import SCRIPT

MIB = 2**20
LIMIT = settings.BODY_LIMIT_MIB * MIB


def post(
    gateway, host: str, size: int, *, chunked: bool, headers: Mapping[str, str] = MappingProxyType({})
) -> tuple[int, bytes, str | None]:
    """Post zeros, and read the answer even if it comes before all is sent."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    try:
        connection.putrequest("POST", "/upload", skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host)
        connection.putheader(*(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(size))))
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        try:
            for start in range(0, size, MIB):
                connection.send(framed(bytes(min(MIB, size - start)), chunked=chunked))
            if chunked:
                connection.send(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has answered already
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.getheader("Cache-Control")
    finally:
        connection.close()


def framed(data: bytes, *, chunked: bool) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data) if chunked else data


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [LIMIT + 1, 3 * LIMIT])
def test_more_than_the_limit_is_refused_by_the_gateway(gateway, size, chunked):
    status, body, kept = post(gateway, gateway.portal_host, size, chunked=chunked)
    assert (status, body, kept) == (413, b"This is more than the portal takes in one request.", "no-store")


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [0, PIECE_BYTES, LIMIT])
def test_up_to_the_limit_arrives_whole(gateway, size, chunked):
    status, body, _ = post(gateway, gateway.portal_host, size, chunked=chunked)
    assert (status, json.loads(body)["size"]) == (200, size)


@pytest.mark.parametrize("chunked", [False, True])
def test_engines_take_what_they_like(gateway, instance, signed_in, chunked):
    headers = SCRIPT | {"Cookie": signed_in}
    status, body, _ = post(gateway, gateway.host(instance), 3 * LIMIT, chunked=chunked, headers=headers)
    assert (status, json.loads(body)["size"]) == (200, 3 * LIMIT)
