"""What only the file server does: the token, ranges, bodies that end too early, and its own end."""

import hashlib
import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engines.files.base import FileRefusal, Piece, Refusal
from engines.files.client import RemoteFiles
from engines.files.handler import _ROUTES
from engines.files.ranges import BadRange, parse_range
from engines.files.server import FileServer, main
from tests.files.conftest import TOKEN
from tests.waiting import wait_until

UPLOAD = "0123456789abcdef" * 2
REPOSITORY = Path(__file__).resolve().parents[2]
Serve = Callable[..., FileServer]


def ask(port: int, method: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, headers={"Authorization": f"Bearer {TOKEN}"} | headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"])
def test_without_the_token_nothing_is_told(serve: Serve, root: Path, authorization: str) -> None:
    (root / "a").write_bytes(b"a")
    port = serve().server_port
    for method, path in (*_ROUTES, ("GET", "/v1/unheard-of")):
        status, _headers, body = ask(port, method, f"{path}?path=a&name=b&upload={UPLOAD}", Authorization=authorization)
        assert (status, json.loads(body)) == (401, {"error": "Unauthorized"})
    assert [path.name for path in root.iterdir()] == ["a"]


def test_health_needs_no_token(serve: Serve) -> None:
    status, _headers, body = ask(serve().server_port, "GET", "/healthz", Authorization="")
    assert (status, body) == (200, b'{"ok": true}')


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/unheard-of", 404),
        ("GET", "/v1/list", 400),
        ("GET", "/v1/list?path=&limit=x", 400),
        ("GET", "/v1/list?path=&order=shuffled", 400),
        ("GET", "/v1/list?path=a&path=b", 400),
        ("PUT", f"/v1/file?path=a&upload={UPLOAD}&offset=x&size=1", 400),
        ("GET", "/v1/stat?path=nowhere", 404),
        ("GET", "/v1/stat?path=..", 400),
        ("GET", "/v1/stat?path=%2e%2e%2fsecret.txt", 400),
        ("GET", "/v1/stat?path=a%00", 400),
        ("POST", "/v1/folder?path=caf%e9", 400),
        ("GET", "/v1/../secret.txt", 404),
    ],
)
def test_what_makes_no_sense_is_refused(serve: Serve, method: str, path: str, status: int) -> None:
    assert ask(serve().server_port, method, path)[0] == status


@pytest.mark.parametrize(
    ("header", "status", "span", "body"),
    [
        ("", 200, None, b"0123456789"),
        ("bytes=0-3", 206, "bytes 0-3/10", b"0123"),
        ("bytes=7-", 206, "bytes 7-9/10", b"789"),
        ("bytes=-2", 206, "bytes 8-9/10", b"89"),
        ("bytes=-99", 206, "bytes 0-9/10", b"0123456789"),
        ("bytes=8-99", 206, "bytes 8-9/10", b"89"),
        ("bytes=10-", 416, "bytes */10", b""),
        ("bytes=-0", 416, "bytes */10", b""),
        ("bytes=5-2", 200, None, b"0123456789"),
        ("bytes=0-1,3-4", 200, None, b"0123456789"),
        ("lines=1-2", 200, None, b"0123456789"),
    ],
)
def test_ranges(serve: Serve, root: Path, header: str, status: int, span: str | None, body: bytes) -> None:
    (root / "a").write_bytes(b"0123456789")
    found = ask(serve().server_port, "GET", "/v1/file?path=a", Range=header)
    assert (found[0], found[1].get("Content-Range"), found[2]) == (status, span, body)


def test_a_range_of_an_empty_file() -> None:
    assert parse_range("", 0) is None
    with pytest.raises(BadRange):
        parse_range("bytes=0-", 0)


def test_an_upload_whose_connection_breaks_goes_on_where_it_was(serve: Serve, root: Path) -> None:
    port = serve().server_port
    files = RemoteFiles(f"127.0.0.1:{port}", TOKEN)
    files.write("big", io.BytesIO(b"12"), Piece(UPLOAD, 0, 2, 6))
    with socket.create_connection(("127.0.0.1", port)) as half:
        head = f"PUT /v1/file?path=big&upload={UPLOAD}&offset=2&size=6 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        half.sendall(f"{head}Content-Length: 4\r\n\r\n3x".encode())
    part = root / f".{UPLOAD}.aigc-part"
    wait_until(lambda: part.stat().st_size == 4)
    made = files.write("big", io.BytesIO(b"3456"), Piece(UPLOAD, 2, 4, 6))
    files.close()
    assert made is not None
    assert (root / "big").read_bytes() == b"123456"


def test_a_refusal_is_heard_through_a_body_on_its_way(serve: Serve, root: Path) -> None:
    (root / "there").touch()
    files = RemoteFiles(f"127.0.0.1:{serve().server_port}", TOKEN)
    size = 20_000_000
    for _ in range(3):
        with pytest.raises(FileRefusal) as refusal:
            files.write("there", io.BytesIO(bytes(size)), Piece(UPLOAD, 0, size, size))
        assert (refusal.value.refusal, refusal.value.path) == (Refusal.EXISTS, "there")
    files.close()


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        files = RemoteFiles(f"127.0.0.1:{unused.getsockname()[1]}", TOKEN)
        with pytest.raises(FileRefusal) as refusal:
            files.list("")
    assert refusal.value.refusal == Refusal.UNAVAILABLE


def test_a_wrong_token_is_unavailable_to_the_client(serve: Serve) -> None:
    files = RemoteFiles(f"127.0.0.1:{serve().server_port}", "wrong")
    with pytest.raises(FileRefusal) as refusal:
        files.list("")
    files.close()
    assert refusal.value.refusal == Refusal.UNAVAILABLE


# --- the process ---


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def process(root: Path, tmp_path: Path, *, idle_seconds: float) -> Iterator[tuple[subprocess.Popen[str], int]]:
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")
    command = [sys.executable, "-m", "engines.files.server", "--root", str(root), "--host", "127.0.0.1", "--port", "0"]
    command += ["--token-file", str(token), "--idle-seconds", str(idle_seconds)]
    with subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        try:
            yield running, int(running.stderr.readline().split()[-1])
        finally:
            running.kill()


def test_it_ends_when_nobody_asks_and_probes_do_not_count(root: Path, tmp_path: Path) -> None:
    with process(root, tmp_path, idle_seconds=1.5) as (running, port):
        asked = time.monotonic()
        assert ask(port, "GET", "/v1/list?path=")[0] == 200
        while running.poll() is None:
            assert time.monotonic() - asked < 15
            try:
                ask(port, "GET", "/healthz")
            except (OSError, http.client.HTTPException):
                break  # it has ended, perhaps in the middle of an answer
        assert running.wait(10) == 0
        assert time.monotonic() - asked >= 1.5


def test_it_does_not_end_in_the_middle_of_a_transfer(root: Path, tmp_path: Path) -> None:
    data = os.urandom(30_000_000)
    (root / "big").write_bytes(data)
    with process(root, tmp_path, idle_seconds=0.3) as (running, port):
        content = RemoteFiles(f"127.0.0.1:{port}", TOKEN).read("big")
        received = [next(content.chunks)]
        running.send_signal(signal.SIGTERM)
        wait_until(lambda: not listens(port))
        received += content.chunks
        assert b"".join(received) == data
        assert running.wait(10) == 0


def test_it_knows_neither_django_nor_much_else() -> None:
    code = "import sys, engines.files.server; print(sorted({'django', 'urllib3', 'PIL', 'kubernetes'} & set(sys.modules)))"
    seen = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert seen.stdout == "[]\n"


@pytest.mark.parametrize("arguments", [[], ["--token-sha256", "short"], ["--token-sha256", "x" * 64, "--token-file", "y"]])
def test_without_one_good_token_it_does_not_start(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--root", "/data", *arguments])
    assert end.value.code == 2
    assert "token" in capsys.readouterr().err


def test_the_digest_is_enough(root: Path) -> None:
    server = FileServer(("127.0.0.1", 0), root, token_sha256=hashlib.sha256(b"t").hexdigest(), idle_seconds=1)
    assert server.knows("Bearer t")
    assert not server.knows("Bearer T")
    server.server_close()
