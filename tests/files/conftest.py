"""A directory with files, and the two ways to it: directly, and through a file server over real HTTP."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engines.files.base import Files
from engines.files.client import RemoteFiles
from engines.files.server import FileServer
from engines.files.store import Store

TOKEN = "the token of these tests"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """What a file room shows; a secret lies beside it."""
    (tmp_path / "secret.txt").write_text("nobody's business")
    root = tmp_path / "volume"
    root.mkdir()
    return root


@pytest.fixture
def serve(root: Path) -> Iterator[Callable[..., FileServer]]:
    """Start file servers in threads of their own; they end with the test."""
    running: list[tuple[FileServer, threading.Thread]] = []

    def start(*, idle_seconds: float = 600) -> FileServer:
        digest = hashlib.sha256(TOKEN.encode()).hexdigest()
        server = FileServer(("127.0.0.1", 0), root, token_sha256=digest, idle_seconds=idle_seconds)
        thread = threading.Thread(target=server.serve_until_idle)
        thread.start()
        running.append((server, thread))
        return server

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture(params=["direct", "remote"])
def files(request: pytest.FixtureRequest, root: Path) -> Iterator[Files]:
    """The same tests for both: what is done directly and what is asked of a server must not differ."""
    if request.param == "direct":
        yield Store(root)
        return
    serve: Callable[..., FileServer] = request.getfixturevalue("serve")
    remote = RemoteFiles(f"127.0.0.1:{serve().server_port}", TOKEN)
    yield remote
    remote.close()
