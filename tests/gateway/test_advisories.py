"""Faults that other gateways had, one by one; what of them the rules and the hygiene tests cover is not repeated here.

AIGC-Gateway: an identity provider asked for each request (test_memory), an address anywhere in the request that opened another's
engine (test_rules), a session cookie for all engines under a key that everybody has (here), a paused engine as 401 (test_rules).

oauth2-proxy CVE-2025-64484, CVE-2026-34457, CVE-2026-40575 and Caddy GHSA-7r4p-vjf4-gxv4, GHSA-f59h-q822-g45g: aliases with
underscores and forwarded addresses (test_hygiene), names of health checks, headers cut hop by hop, two hosts (here).
"""

import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from aigc_portal.secret_files import own_secret
from engines.models import Instance
from gateway.cookies import PASS
from tests.gateway.conftest import ROOT
from tests.gateway.driving import NAVIGATION, SCRIPT, Gateway, end, run, wait_for_port
from tests.stack import free_port


def test_no_cookie_of_ours_is_for_more_than_one_host(gateway, instance, alice, alice_client):
    alice.set_password("a-long-secret")
    alice.save()
    set_by_portal = alice_client.post("/accounts/login/", {"login": "alice", "password": "a-long-secret"}).cookies
    nonce, portal_path = gateway.begin(instance)
    callback = gateway.visit(instance, gateway.authorize(alice_client, portal_path), cookie=nonce)
    lines = [cookie.OutputString() for cookie in set_by_portal.values()]
    lines += gateway.visit(instance).all("Set-Cookie") + callback.all("Set-Cookie")
    lines += gateway.visit(instance, "/.aigc/sign-out").all("Set-Cookie")
    assert len(lines) >= 3
    for line in lines:
        assert line.startswith("__Host-"), line
        assert "domain=" not in line.lower(), line
        assert {"path=/", "secure", "httponly"} <= set(line.lower().split("; ")), line


def test_every_installation_has_keys_of_its_own(tmp_path: Path):
    first, second = (own_secret(tmp_path / name, "gateway-token") for name in ("one", "two"))
    assert first != second
    assert min(len(first), len(second)) >= 32
    assert own_secret(tmp_path / "one", "gateway-token") == first
    [kept] = [path for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


@pytest.mark.parametrize("agent", ["kube-probe/1.36", "GoogleHC/1.0", "ELB-HealthChecker/2.0", "Caddy-Health"])
@pytest.mark.parametrize("path", ["/", "/ping", "/healthz", "/ready", "/oauth2/auth", "/_gw/auth"])
def test_nobody_passes_as_a_health_check(gateway, instance, agent, path):
    assert gateway.call(instance, path, User_Agent=agent).status == 401


DROPPED = "Connection: close, Authorization, X-Aigc-Client, X-Aigc-Gw, Host, X-Forwarded-Uri, X-Forwarded-Method, Cookie"


def test_a_programs_headers_cannot_be_cut_hop_by_hop(gateway, instance, make_token):
    made = make_token(instance, rules=["GET /allowed"], networks=["192.0.2.0/24"])
    elsewhere = [f"Authorization: Bearer {made.secret}", "X-Forwarded-For: 192.0.2.7", DROPPED]
    assert answer(gateway, "GET /allowed HTTP/1.1", gateway.host(instance), elsewhere)[0] in {401, 403}
    here = make_token(instance, rules=["GET /allowed"]).secret
    assert answer(gateway, "GET /other HTTP/1.1", gateway.host(instance), [f"Authorization: Bearer {here}", DROPPED])[0] in {
        401,
        403,
    }


def answer(gateway: Gateway, request_line: str, host: str, headers: list[str], body: str = "") -> tuple[int, str]:
    """Status and text of what comes back for exactly these lines; the last request among them closes the connection."""
    lines = [request_line, *([f"Host: {host}"] if host else []), *headers, "", body]
    with closing(socket.create_connection(("127.0.0.1", gateway.port), timeout=10)) as connection:
        connection.sendall("\r\n".join(lines).encode())
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    text = received.decode("latin-1")
    return int(text.split(" ", 2)[1]), text


def test_two_hosts_are_refused_and_case_is_none(gateway, instance, signed_in, make_instance):
    own, victim = gateway.host(instance), gateway.host(make_instance())
    close = ["Connection: close", f"Cookie: {signed_in}", "Sec-Fetch-Site: same-origin"]
    assert answer(gateway, "GET / HTTP/1.1", own, [f"Host: {victim}", *close])[0] == 400
    assert answer(gateway, "GET / HTTP/1.1", own.upper(), close)[0] == 200
    assert answer(gateway, "GET / HTTP/1.1", "", close)[0] == 400
    assert answer(gateway, "GET / HTTP/1.1", own.replace(":", ".:"), close)[0] in {404, 421}
    # The address in the request line is the host; the pass is for another.
    assert answer(gateway, f"GET http://{victim}/ HTTP/1.1", own, close)[0] == 401
    assert answer(gateway, f"GET http://{own}/ HTTP/1.1", victim, close)[0] == 200
    assert answer(gateway, "GET http://evil.example/ HTTP/1.1", own, close)[0] == 421


SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: {host}\r\nX-Smuggled: 1\r\nConnection: close\r\n\r\n"
MALFORMED = {
    "two lengths": ["Content-Length: 0", "Content-Length: 60"],
    "a space before the colon": ["Content-Length : 60"],
    "an unknown coding": ["Transfer-Encoding: xchunked"],
    "two codings": ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
    "a folded line": ["X-A: 1", " Transfer-Encoding: chunked"],
}


@pytest.mark.parametrize("headers", MALFORMED.values(), ids=MALFORMED)
def test_no_request_is_smuggled_behind_another(gateway, instance, signed_in, headers):
    host = gateway.host(instance)
    sent = [f"Cookie: {signed_in}", f"Origin: http://{host}", *headers]
    status, text = answer(gateway, "POST / HTTP/1.1", host, sent, SMUGGLED.format(host=host))
    assert status in {200, 400, 501}
    assert "x-smuggled" not in text.lower()  # no engine has seen it as a request


def test_a_length_beside_chunks_ends_with_the_chunks(gateway, instance, signed_in):
    """What follows the last chunk is a request of its own, and has no pass."""
    host = gateway.host(instance)
    sent = [f"Cookie: {signed_in}", f"Origin: http://{host}", "Content-Length: 300", "Transfer-Encoding: chunked"]
    status, text = answer(gateway, "POST / HTTP/1.1", host, sent, "0\r\n\r\n" + SMUGGLED.format(host=host))
    assert status in {200, 400}
    assert "x-smuggled" not in text.lower()


@pytest.fixture
def behind_a_load_balancer(gateway: Gateway, tmp_path: Path) -> Iterator[Gateway]:
    """Another Caddy before the same gwauth, which believes this machine when it names clients."""
    port, log = free_port(), tmp_path / "caddy.log"
    variables = {
        "AIGC_DATA_DIR": str(tmp_path / "data"),
        "AIGC_PORTAL_ORIGIN": f"http://portal.localhost:{port}",
        "AIGC_ENGINES_DOMAIN": f"engines.localhost:{port}",
        "AIGC_ENGINES_SCHEME": "http",
        "AIGC_GWAUTH_BIND": gateway.auth_address.removeprefix("http://"),
        "AIGC_PORTAL_BIND": gateway.upstream,
        "AIGC_GATEWAY_BIND": "127.0.0.1",
        "AIGC_GATEWAY_SECRET": (gateway.data_dir / "secrets" / "gateway").read_text().strip(),
        "AIGC_TRUSTED_PROXIES": "127.0.0.0/8",
    }
    caddy = run([sys.executable, str(ROOT / "manage.py"), "gateway"], log, **variables)
    try:
        wait_for_port(port, caddy, log)
        yield replace(gateway, port=port, caddy=caddy)
    finally:
        end(caddy)


FORWARDED = {
    "192.0.2.7": 200,
    "198.51.100.1, 192.0.2.7": 200,
    "192.0.2.7, 198.51.100.1": 403,  # what the client itself wrote is on the left
    "192.0.2.7, 127.0.0.1": 200,  # a second load balancer of ours
    "nonsense": 403,
    "": 403,
}


def test_only_a_trusted_load_balancer_names_the_client(
    gateway: Gateway, behind_a_load_balancer: Gateway, instance: Instance, make_token
):
    secret = make_token(instance, networks=["192.0.2.0/24"]).secret

    def status(through: Gateway, forwarded: str) -> int:
        headers = {"Authorization": f"Bearer {secret}"} | ({"X-Forwarded-For": forwarded} if forwarded else {})
        return through.send(gateway.host(instance), headers=headers).status

    assert {forwarded: status(behind_a_load_balancer, forwarded) for forwarded in FORWARDED} == FORWARDED
    assert {status(gateway, forwarded) for forwarded in FORWARDED} == {403}


def test_the_portal_hears_of_one_client_and_the_same(gateway: Gateway, behind_a_load_balancer: Gateway):
    """What the audit log and rate limits go by."""

    def seen(through: Gateway, forwarded: str) -> str:
        return through.send(through.portal_host, headers={"X-Forwarded-For": forwarded}).seen["x-forwarded-for"]

    assert seen(gateway, "192.0.2.7") == "127.0.0.1"
    assert seen(behind_a_load_balancer, "192.0.2.7") == "192.0.2.7"
    assert seen(behind_a_load_balancer, "198.51.100.1, 192.0.2.7") == "192.0.2.7"
    assert seen(behind_a_load_balancer, "192.0.2.7, 198.51.100.1") == "198.51.100.1"


def test_a_pass_is_not_read_from_a_page_of_another_name(gateway, instance, signed_in):
    """The same pass under names that a sister host or an engine's script can set."""
    value = signed_in.partition("=")[2]
    for name in ("__Secure-aigc_s", "aigc_s", "__Host-aigc_S", f" {PASS}x"):
        assert gateway.send(gateway.host(instance), headers=NAVIGATION | {"Cookie": f"{name}={value}"}).status == 302
    assert gateway.send(gateway.host(instance), headers=SCRIPT | {"Cookie": signed_in}).status == 200


def test_the_portal_hears_of_the_client_and_of_nobody_else(gateway: Gateway, behind_a_load_balancer: Gateway):
    """It counts attempts to sign in by this one address, and writes it into the audit log."""

    def told(through: Gateway, forwarded: str) -> str:
        answer = through.send(through.portal_host, headers={"X-Forwarded-For": forwarded} if forwarded else {})
        return str(answer.seen["x-forwarded-for"])

    expected = {"192.0.2.7": "192.0.2.7", "198.51.100.1, 192.0.2.7": "192.0.2.7", "": "127.0.0.1"}
    assert {forwarded: told(behind_a_load_balancer, forwarded) for forwarded in expected} == expected
    assert {told(gateway, forwarded) for forwarded in expected} == {"127.0.0.1"}
