"""No path, no link and no engine that swaps folders for links leads out of the root."""

import contextlib
import io
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engines.files import paths
from engines.files.archive import safe_name
from engines.files.base import Content, FileRefusal, Files, Piece, Refusal
from engines.files.store import Store
from tests.waiting import wait_until

UPLOAD = "0123456789abcdef" * 2
SECRET = b"nobody's business"

OPERATIONS: dict[str, Callable[[Files, str], object]] = {
    "list": lambda files, path: files.list(path),
    "stat": lambda files, path: files.stat(path),
    "extent": lambda files, path: files.extent(path),
    "read": lambda files, path: b"".join(files.read(path).chunks),
    "zip": lambda files, path: b"".join(files.zip(path)),
    "zip a name": lambda files, path: b"".join(files.zip("", [path])),
    "write": lambda files, path: files.write(path, io.BytesIO(b"x"), Piece(UPLOAD, 0, 1, 1)),
    "abandon": lambda files, path: files.abandon(path, UPLOAD),
    "make_folder": lambda files, path: files.make_folder(path),
    "rename": lambda files, path: files.rename(path, "renamed"),
    "rename to": lambda files, path: files.rename("here.txt", path),
    "delete": lambda files, path: files.delete(path),
}
WAYS_OUT = [
    "..",
    "../secret.txt",
    "folder/../../secret.txt",
    "folder/..",
    "./here.txt",
    "folder/./../..",
    "/etc/passwd",
    "/",
    "//etc/passwd",
    "folder//inner",
    "folder/",
    "here.txt\0",
    "here.txt\0.png",
    "\0",
    "\ud800",
    "caf\udce9",
    "x" * 256,
    "/".join("d" * 129),
    "a/" * 3000 + "a",
]
LINKS = ["link to a file", "link to a folder/secret.txt", "link to a folder", "link up/secret.txt", "folder/link/passwd"]


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder, links not followed, with the content of files."""
    found: dict[str, bytes | None] = {}
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(parent, name)
            found[str(path.relative_to(folder))] = path.read_bytes() if path.is_file() and not path.is_symlink() else None
    return found


@pytest.fixture
def filled(root: Path) -> Path:
    (root / "here.txt").write_bytes(b"here")
    (root / "folder" / "inner").mkdir(parents=True)
    (root / "link to a file").symlink_to("../secret.txt")
    (root / "link to a folder").symlink_to("..")
    (root / "link up").symlink_to(root.parent)
    (root / "folder" / "link").symlink_to("/etc")
    return root


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_way_out_is_refused_and_changes_nothing(files: Files, filled: Path, operation: str) -> None:
    before = snapshot(filled.parent)
    for path in WAYS_OUT:
        with pytest.raises(FileRefusal) as refusal:
            OPERATIONS[operation](files, path)
        assert refusal.value.refusal in {Refusal.BAD_PATH, Refusal.BAD_NAME}, path
        assert snapshot(filled.parent) == before


@pytest.mark.parametrize("operation", ["list", "read", "zip", "write", "make_folder"])
def test_a_link_is_not_followed(files: Files, filled: Path, operation: str) -> None:
    before = snapshot(filled.parent)
    for path in LINKS:
        with pytest.raises(FileRefusal) as refusal:
            OPERATIONS[operation](files, path)
        assert refusal.value.refusal in {Refusal.NOT_A_FILE, Refusal.NOT_A_FOLDER, Refusal.EXISTS}, path
        assert snapshot(filled.parent) == before


@pytest.mark.parametrize("operation", ["stat", "extent", "rename", "zip a name", "abandon", "delete"])
def test_nothing_is_done_through_a_link(files: Files, filled: Path, operation: str) -> None:
    before = snapshot(filled.parent)
    for path in (path for path in LINKS if "/" in path):
        with pytest.raises(FileRefusal) as refusal:
            OPERATIONS[operation](files, path)
        assert refusal.value.refusal == Refusal.NOT_A_FOLDER, path
        assert snapshot(filled.parent) == before


def test_the_root_itself_may_not_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    with pytest.raises(FileRefusal) as refusal:
        Store(tmp_path / "link").list("")
    assert refusal.value.refusal == Refusal.NOT_A_FOLDER


@pytest.mark.parametrize("name", ["pipe", "socket"])
def test_what_is_not_a_file_is_never_opened(files: Files, root: Path, name: str) -> None:
    import socket  # noqa: PLC0415 - this test alone

    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listener, contextlib.chdir(root):
        listener.bind("socket")
        with pytest.raises(FileRefusal) as refusal:
            files.read(name)
    assert refusal.value.refusal == Refusal.NOT_A_FILE


def test_an_upload_does_not_write_through_what_the_engine_put_in_its_place(files: Files, root: Path) -> None:
    files.write("big", io.BytesIO(b"x"), Piece(UPLOAD, 0, 1, 2))
    part = root / f".{UPLOAD}.aigc-part"
    part.unlink()
    part.symlink_to("../secret.txt")
    with pytest.raises(FileRefusal) as refusal:
        files.write("big", io.BytesIO(b"y"), Piece(UPLOAD, 1, 1, 2))
    assert refusal.value.refusal == Refusal.NOT_A_FILE
    part.unlink()
    os.mkfifo(part)
    with pytest.raises(FileRefusal) as refusal:
        files.write("big", io.BytesIO(b"y"), Piece(UPLOAD, 1, 1, 2))
    assert refusal.value.refusal == Refusal.NOT_A_FILE
    assert (root.parent / "secret.txt").read_bytes() == SECRET


def test_a_folder_that_is_swapped_for_a_link_again_and_again(root: Path) -> None:
    """The engine changes `x` between a folder and a link to the outside as fast as it can, while everything is tried."""
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_bytes(SECRET)
    (root / "real").mkdir()
    (root / "real" / "secret.txt").write_bytes(b"its own")
    (root / "x").symlink_to("real")
    done, swaps = threading.Event(), 0

    def swap() -> None:
        nonlocal swaps
        while not done.is_set():
            os.symlink(outside, root / "new")  # noqa: PTH211 - as short as can be
            os.rename(root / "new", root / "x")  # noqa: PTH104
            os.unlink(root / "x")  # noqa: PTH108
            os.rename(root / "real", root / "x")  # noqa: PTH104
            os.rename(root / "x", root / "real")  # noqa: PTH104
            swaps += 1

    engine = threading.Thread(target=swap)
    engine.start()
    seen: set[bytes] = set()
    store, tries = Store(root), 0
    try:
        while len(seen) < 1 or tries < 2000:
            tries += 1
            with contextlib.suppress(FileRefusal):
                seen.add(read_all(store.read("x/secret.txt")))
            with contextlib.suppress(FileRefusal):
                store.write(f"x/{tries}", io.BytesIO(b""), Piece(UPLOAD, 0, 0, 0))
            with contextlib.suppress(FileRefusal):
                store.delete(f"x/{tries}")
            assert tries < 200_000
    finally:
        done.set()
        engine.join()
    wait_until(lambda: swaps > 0)
    assert seen == {b"its own"}
    assert snapshot(outside) == {"secret.txt": SECRET}


def read_all(content: Content) -> bytes:
    return b"".join(content.chunks)


ODD = st.text(alphabet=st.sampled_from("ab./\\\0~ \n\u202e\ud800é图*$%2e"), max_size=12)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.one_of(ODD, st.text(max_size=20), st.lists(ODD, max_size=4).map("/".join)))
@example(path="..")
@example(path="%2e%2e/secret.txt")
@example(path="~root")
def test_whatever_path_stays_within(root: Path, path: str) -> None:
    store = Store(root)
    before = snapshot(root.parent)
    inside = {name for name in before if name.startswith("volume")}
    for operation in OPERATIONS.values():
        with contextlib.suppress(FileRefusal):
            operation(store, path)
    after = snapshot(root.parent)
    outside = {name: data for name, data in after.items() if not name.startswith("volume")}
    assert outside == {name: data for name, data in before.items() if name not in inside}


@given(path=st.text(max_size=30))
def test_a_path_that_is_let_through_is_made_of_plain_names(path: str) -> None:
    try:
        parts = paths.split(path)
    except FileRefusal:
        return
    assert "/".join(parts) == path
    assert not {"", ".", ".."} & set(parts)
    assert all("/" not in part and "\0" not in part for part in parts)


@given(name=st.text(min_size=1, max_size=30).filter(lambda name: name not in {".", ".."} and not set("/\0") & set(name)))
def test_a_name_in_an_archive_is_plain_everywhere(name: str) -> None:
    safe = safe_name(name)
    assert not set('\\/:*?"<>|\0\n\r\t') & set(safe)
    safe.encode()
