"""HTTP that stays outside: which addresses it goes to, what it takes for an answer, and how long it waits."""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.utils import timezone

from tenants.notifications import guarded
from tenants.notifications.guarded import Answer, Forbidden, Malformed, Target, TooSlow, UnknownHost, is_public, post
from tests.notifications.receiver import Receiver

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
     "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1",
     "255.255.255.255", "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "ff0e::1", "::ffff:127.0.0.1",
     "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a00:1::1",
     "2001:0:4136:e378:8000:63bf:80ff:fffe", "2001:db8::1",
     "64:ff9b:1::a00:1", "fec0::1"],
)  # fmt: skip
def test_what_is_not_the_internets(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"])
def test_what_is(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    ["", "hooks.example.com", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "https://", "https:///path",
     "https://user:password@example.com/", "https://user@example.com/", "https://example.com:25/", "https://example.com:0/x",
     "https://example.com:99999/", "https://[::1/", "https://exa mple.com/", "https://example.com/\r\nX: y", "https://a..b/"],
)  # fmt: skip
def test_addresses_that_nobody_can_have(url: str) -> None:
    with pytest.raises(Malformed):
        Target.of(url)


def test_parts_of_an_address() -> None:
    assert Target.of("https://Hooks.Example.com/a/b?c=d#e") == Target(
        True, "hooks.example.com", 443, "hooks.example.com", "/a/b?c=d"
    )
    assert Target.of("http://bücher.example:8080") == Target(
        False, "xn--bcher-kva.example", 8080, "xn--bcher-kva.example:8080", "/"
    )
    assert Target.of("https://[2606:4700::1111]:8443/x").authority == "[2606:4700::1111]:8443"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]", "0", "[::]"],
)
def test_this_machine_by_any_name_is_forbidden(host: str, receiver: Receiver) -> None:
    port = receiver.url.split(":")[2].split("/")[0]
    with pytest.raises((Forbidden, UnknownHost)):
        post(f"http://{host}:{port}/", b"{}", {}, allowed=[])
    assert receiver.requests == []


def test_an_allowed_network_is_allowed_and_no_other(receiver: Receiver) -> None:
    assert post(receiver.url, b"{}", {}, allowed=LOOPBACK) == Answer(200, "")
    with pytest.raises(Forbidden, match=r"is 127\.0\.0\.1"):
        post(receiver.url, b"{}", {}, allowed=[ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::/0")])
    assert len(receiver.requests) == 1


def resolve(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let DNS answer so, one answer after the other; returns the names that were asked for."""
    asked: list[str] = []
    left = list(answers)

    def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in left.pop(0)]

    monkeypatch.setattr(guarded.socket, "getaddrinfo", getaddrinfo)
    return asked


def test_one_forbidden_address_among_public_ones_forbids_all(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve(monkeypatch, ["93.184.216.34", "10.0.0.1"])
    with pytest.raises(Forbidden, match=r"hooks.example.com is 10\.0\.0\.1"):
        post("https://hooks.example.com/", b"", {}, allowed=[])


def test_http_to_the_internet_is_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve(monkeypatch, ["93.184.216.34"])
    with pytest.raises(Forbidden, match=r"http to 93\.184\.216\.34"):
        post("http://hooks.example.com/", b"", {}, allowed=LOOPBACK)


def test_the_address_that_was_judged_is_the_one_that_is_dialled(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    """A name that is 127.0.0.2 when it is judged, and anything else a moment later, is dialled at 127.0.0.2."""
    dialled = []
    connect = socket.create_connection
    monkeypatch.setattr(
        guarded.socket, "create_connection", lambda address, **named: dialled.append(address[0]) or connect(address, **named)
    )
    url = receiver.url.replace("127.0.0.1", "rebinding.example.com")
    asked = []

    def getaddrinfo(host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(host)
        address = host if host[0].isdigit() else ["127.0.0.1", "10.0.0.1"][len(asked) > 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert post(url, b"{}", {}, allowed=LOOPBACK).status == 200
    assert asked.count("rebinding.example.com") == 1
    assert dialled == ["127.0.0.1"]
    assert receiver.requests[0].headers["host"] == url.split("/")[2]


def test_a_name_that_dns_does_not_know() -> None:
    with pytest.raises(UnknownHost):
        post("https://nobody.invalid/", b"", {}, allowed=[])


def test_the_second_address_is_tried_if_the_first_takes_nothing(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, port, *more, **named: (
            [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in ("127.0.0.2", "127.0.0.1")]
            if host == "two.example.com"
            else real(host, port, *more, **named)
        ),
    )
    assert post(receiver.url.replace("127.0.0.1", "two.example.com"), b"{}", {}, allowed=LOOPBACK).status == 200


def test_headers_that_drip_are_cut_off(receiver: Receiver) -> None:
    receiver.drips = True
    begun = time.monotonic()
    with pytest.raises(TooSlow, match=r"no answer within 0\.5 s"):
        post(receiver.url, b"{}", {}, allowed=LOOPBACK, total_seconds=0.5)
    assert time.monotonic() - begun < 5


def hear(line: socket.socket) -> None:
    """Read a whole request: hanging up on what is unread would tear the answer away from whoever asked."""
    heard = b""
    while not heard.endswith(b"\r\n\r\n{}"):
        heard += line.recv(65_536)


@contextmanager
def saying(words: bytes) -> Iterator[str]:
    """A server that says these words to whoever calls, whatever they say, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            line, _address = server.accept()
            with line:
                hear(line)
                line.sendall(words)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        thread.join()


@pytest.mark.parametrize(
    "words", [b"", b"220 mail.example.com ESMTP\r\n", b"HTTP/1.1 nonsense\r\n\r\n", b"\x00" * 100, b"HTTP/1.1 20"]
)
def test_what_is_no_http_is_no_answer(words: bytes) -> None:
    with saying(words) as url, pytest.raises(ConnectionError):
        post(url, b"{}", {}, allowed=LOOPBACK)


def test_a_longer_body_is_not_waited_for() -> None:
    with saying(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\nx") as url:
        assert post(url, b"{}", {}, allowed=LOOPBACK) == Answer(200, "")


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[Callable[[], int]]:
    """A TLS server on this machine with a certificate for hooks.example.com that nobody but its own file vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example.com")])
    now = timezone.now()
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example.com")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (tmp_path / "ca.pem").write_bytes(pem)
    plain = serialization.NoEncryption()
    pem += key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (tmp_path / "server.pem").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    line, _address = server.accept()
                except OSError:
                    return
                try:
                    with context.wrap_socket(line, server_side=True) as secured:
                        hear(secured)
                        secured.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
                except OSError:
                    continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield lambda: int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_tls_is_for_the_name_though_the_address_is_dialled(tls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve(monkeypatch, ["127.0.0.1"], ["127.0.0.1"], ["127.0.0.1"])
    monkeypatch.setattr(guarded.socket, "create_connection", _dial)
    with pytest.raises(ssl.SSLCertVerificationError):
        post(f"https://hooks.example.com:{tls()}/", b"{}", {}, allowed=LOOPBACK)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    assert post(f"https://hooks.example.com:{tls()}/", b"{}", {}, allowed=LOOPBACK) == Answer(204, "")
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        post(f"https://other.example.com:{tls()}/", b"{}", {}, allowed=LOOPBACK)


def _dial(address: tuple[str, int], timeout: float) -> socket.socket:
    """Connect without asking DNS, whose answers the test has counted."""
    line = socket.socket()
    line.settimeout(timeout)
    line.connect(address)
    return line


def test_a_handshake_that_never_comes_is_cut_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(TooSlow):
        post(f"https://127.0.0.1:{server.getsockname()[1]}/", b"{}", {}, allowed=LOOPBACK, total_seconds=0.3)
