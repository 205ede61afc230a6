"""The port of a process that the double has started, but that does not listen yet, is nobody else's."""

import errno
import os
import socket

import pytest

from tests.kubernetes.double.launching import reserve_port


def test_a_reserved_port_is_given_to_nobody_until_its_server_listens():
    place = reserve_port()
    try:
        with socket.socket() as other, pytest.raises(OSError, match="Address already in use") as taken:
            other.bind(("127.0.0.1", place.port))
        assert taken.value.errno == errno.EADDRINUSE
        with socket.socket() as early:
            assert early.connect_ex(("127.0.0.1", place.port)) == errno.ECONNREFUSED
        with socket.create_server(("127.0.0.1", place.port)), socket.create_connection(("127.0.0.1", place.port)):
            pass  # servers share their address
    finally:
        os.close(place.descriptor)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", place.port))
