"""What stays open for long or is large."""

import http.client
import json
import select
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from gateway.cookies import PASS
from gateway.tokens import LIFE_LIMIT_SECONDS, Keyring, Token
from tests.gateway.driving import SCRIPT

GIB = 2**30
SHA256_OF_A_GIB_OF_ZEROS = "49bc20df15e412a64472421e13fe86ff1c5165e18b2afccf160d4dc19fe68a14"
MEMORY_LIMIT_KIB = 300 * 1024


def open_socket(gateway, host: str, *, cookie: str = "", authorization: str = "", origin: str | None = None, **options):
    headers = {"Cookie": cookie, "Authorization": authorization}
    return connect(
        f"ws://{host}/ws",
        sock=socket.create_connection(("127.0.0.1", gateway.port)),
        origin=origin,
        additional_headers={name: value for name, value in headers.items() if value},
        max_size=None,
        **options,
    )


def test_a_websocket_carries_text_and_large_frames(gateway, instance, signed_in):
    host = gateway.host(instance)
    with open_socket(gateway, host, cookie=signed_in, origin=f"http://{host}") as channel:
        channel.send("hello")
        assert channel.recv(timeout=10) == "hello"
        frame = bytes(range(256)) * 4096 * 4
        channel.send(frame)
        assert channel.recv(timeout=10) == frame


def test_a_websocket_is_opened_only_by_the_engines_own_page(gateway, instance, signed_in):
    host = gateway.host(instance)
    sister = f"http://bcdfghjkmn.{gateway.domain}"
    attempts = {(None, signed_in): 403, (f"http://{host}", ""): 401}
    attempts |= {(origin, signed_in): 403 for origin in ("null", f"https://{host}", "http://evil.example", sister)}

    def status(origin: str | None, cookie: str) -> int:
        with pytest.raises(InvalidStatus) as refused:
            open_socket(gateway, host, cookie=cookie, origin=origin)
        return refused.value.response.status_code

    assert {attempt: status(*attempt) for attempt in attempts} == attempts


def test_a_websocket_to_an_engine_that_rests_is_refused_and_wakes_nothing(gateway, make_instance, alice_client):
    instance = make_instance()
    cookie = gateway.sign_in(alice_client, instance)
    type(instance).objects.filter(pk=instance.pk).update(state="stopped", desired_state="stopped")
    host = gateway.host(instance)
    with pytest.raises(InvalidStatus) as refused:
        open_socket(gateway, host, cookie=cookie, origin=f"http://{host}")
    assert (refused.value.response.status_code, refused.value.response.headers["Retry-After"]) == (503, "60")
    instance.refresh_from_db()
    assert (instance.desired_state, instance.generation) == ("stopped", 1)


def test_the_portals_websocket_passes(gateway):
    with open_socket(gateway, gateway.portal_host, origin=f"http://{gateway.portal_host}") as channel:
        channel.send("hello")
        assert channel.recv(timeout=10) == "hello"


def test_a_pass_in_use_is_renewed_but_not_for_ever(gateway, instance, alice, signed_in, settings):
    keyring = Keyring(settings.GATEWAY_KEYS)
    fresh = keyring.read(signed_in.partition("=")[2], slug=instance.slug, now=0)
    host = gateway.host(instance)

    def over_websocket(cookie: str) -> list[str]:
        with open_socket(gateway, host, cookie=cookie, origin=f"http://{host}") as channel:
            return channel.response.headers.get_all("Set-Cookie")

    def nearly_over(born_at: int) -> str:
        token = Token(instance.slug, alice.pk, fresh.session, born_at=born_at, expires_at=fresh.born_at + 60)
        return f"{PASS}={keyring.sign(token)}"

    for cookies_set in (
        over_websocket,
        lambda cookie: gateway.visit(instance, cookie=cookie).all("Set-Cookie"),
        lambda cookie: gateway.call(instance, cookie=cookie).all("Set-Cookie"),
    ):
        [renewed] = cookies_set(nearly_over(fresh.born_at))
        name, _, value = renewed.split(";")[0].partition("=")
        token = keyring.read(value, slug=instance.slug, now=fresh.expires_at - 1)
        assert (name, token.born_at, token.user_id) == (PASS, fresh.born_at, alice.pk)
        assert cookies_set(nearly_over(fresh.born_at + 60 - LIFE_LIMIT_SECONDS)) == []


def test_events_arrive_while_the_stream_is_open(gateway, instance, signed_in):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    connection.request("GET", "/events", headers=SCRIPT | {"Host": gateway.host(instance), "Cookie": signed_in})
    answer = connection.getresponse()
    assert answer.readline() == b"data: first\n"
    connection.close()


def test_a_gib_goes_up_in_little_memory(gateway, instance, signed_in):
    with begin_upload(gateway, instance, Cookie=signed_in) as connection:
        chunk = bytes(2**20)
        for _ in range(GIB // len(chunk)):
            connection.send(chunk)
        answer = connection.getresponse()
        assert answer.status == 200
        assert json.load(answer) == {"size": GIB, "sha256": SHA256_OF_A_GIB_OF_ZEROS}
    assert peak_memory_kib(gateway.caddy.pid) < MEMORY_LIMIT_KIB


def test_a_gib_comes_down_in_little_memory(gateway, instance, signed_in):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
    with closing(connection):
        connection.request("GET", f"/download?{GIB}", headers=SCRIPT | {"Host": gateway.host(instance), "Cookie": signed_in})
        answer = connection.getresponse()
        size = 0
        while chunk := answer.read(2**20):
            size += len(chunk)
    assert (answer.status, size) == (200, GIB)
    assert peak_memory_kib(gateway.caddy.pid) < MEMORY_LIMIT_KIB


def test_an_upload_without_a_pass_is_refused_before_much_is_sent(gateway, instance):
    chunk, sent = bytes(2**16), 0
    with begin_upload(gateway, instance) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # the refusal was sent before the gateway hung up
            while sent < GIB and not select.select([connection.sock], [], [], 0)[0]:
                sent += connection.sock.send(chunk)
        assert connection.getresponse().status == 401
    assert sent < GIB // 8


@contextmanager
def begin_upload(gateway, instance, **headers: str) -> Iterator[http.client.HTTPConnection]:
    """A connection on which a GiB has been promised."""
    with closing(http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)) as connection:
        connection.putrequest("POST", "/upload", skip_host=True)
        promised = SCRIPT | headers | {"Host": gateway.host(instance), "Content-Length": str(GIB)}
        for name, value in promised.items():
            connection.putheader(name, value)
        connection.endheaders()
        yield connection


def peak_memory_kib(pid: int) -> int:
    """The most that a process ever had in memory, where the kernel tells."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("this system does not tell a process's peak memory")
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))
