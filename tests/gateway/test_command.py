"""`manage.py gateway` as a person or a supervisor runs it."""

import os
import socket
import stat
import subprocess
import sys

from aigc_portal.embedded.layout import layout_of
from tests.gateway.conftest import ROOT


def run_gateway(**variables: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "manage.py", "gateway"],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_taken_port_is_named_with_its_holder():
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        result = run_gateway(
            AIGC_PORTAL_ORIGIN=f"http://portal.localhost:{port}", AIGC_ENGINES_DOMAIN=f"engines.localhost:{port}"
        )
    assert result.returncode == 1
    assert f"Port {port} is taken by " in result.stderr
    assert f"(pid {os.getpid()})" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_admin_api_is_a_socket_for_its_owner_alone(gateway):
    path = layout_of(gateway.data_dir).run / "caddy.sock"
    assert stat.S_ISSOCK(path.stat().st_mode)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_secrets_are_not_in_the_configuration_that_caddy_shows(gateway, settings):
    path = layout_of(gateway.data_dir).run / "caddy.sock"
    with socket.socket(socket.AF_UNIX) as admin:
        admin.connect(str(path))
        admin.sendall(b"GET /config/ HTTP/1.0\r\nHost: localhost\r\n\r\n")
        answer = b"".join(iter(lambda: admin.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.0 200")
    assert b"X-Aigc-Gw" in answer
    assert settings.GATEWAY_SECRET.encode() not in answer


def test_both_loopback_addresses_are_served(gateway):
    families = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
    for family, address in families.items():
        with socket.socket(family) as client:
            if family == socket.AF_INET6 and not has_ipv6_loopback():
                continue
            client.connect((address, gateway.port))


def has_ipv6_loopback() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
