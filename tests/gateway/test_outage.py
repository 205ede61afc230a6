"""What visitors see while a part of the product is away."""

import subprocess
from dataclasses import replace

import pytest

from aigc_portal.embedded.ports import caddy_binary
from gateway.configuration import caddy_environment
from gateway.management.commands.gateway import CADDYFILE
from tests.gateway.driving import NAVIGATION, SCRIPT, Gateway, end, run, wait_for_port
from tests.gateway.test_configuration import LOCAL
from tests.stack import free_port


@pytest.fixture
def lonely_gateway(tmp_path):
    """Caddy with nobody behind it."""
    port = free_port()
    given = replace(
        LOCAL,
        portal_origin=f"http://portal.localhost:{port}",
        engines_domain=f"engines.localhost:{port}",
        portal_bind=f"127.0.0.1:{free_port()}",
        gwauth_bind=f"127.0.0.1:{free_port()}",
        bind=["127.0.0.1"],
        admin_socket=tmp_path / "caddy.sock",
        storage=tmp_path / "caddy",
    )
    log = tmp_path / "caddy.log"
    command = [str(caddy_binary()), "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"]
    caddy: subprocess.Popen = run(command, log, **caddy_environment(given))
    try:
        wait_for_port(port, caddy, log)
        yield Gateway(port, "", caddy, caddy, "", 0, tmp_path)
    finally:
        end(caddy)


def test_without_gwauth_nobody_is_let_in(lonely_gateway):
    for headers in (NAVIGATION, SCRIPT):
        for path in ("/", "/.aigc/callback?code=x"):
            answer = lonely_gateway.send(f"bcdfghjkmn.{lonely_gateway.domain}", path, headers=headers)
            assert (answer.status, answer["Retry-After"], answer["Cache-Control"]) == (503, "3", "no-store")


def test_without_the_portal_a_visitor_is_asked_to_wait(lonely_gateway):
    answer = lonely_gateway.send(lonely_gateway.portal_host, "/", headers=NAVIGATION)
    assert (answer.status, answer["Retry-After"]) == (503, "3")
    assert answer.body == b"The portal does not answer at the moment. Reload this page in a few seconds."
