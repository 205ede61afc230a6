"""The port Files, sentence by sentence, directly and over HTTP."""

import io
import os
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engines.files import store, uploads
from engines.files.base import Entry, Extent, FileRefusal, Files, Kind, Order, Piece, Refusal
from tests.waiting import wait_until

UPLOAD = "0123456789abcdef" * 2


def names(files: Files, path: str = "", **options: object) -> list[str]:
    return [entry.name for entry in files.list(path, **options).entries]


def on_disk(folder: Path) -> list[str]:
    """What really lies there, hidden or not."""
    return sorted(path.name for path in folder.iterdir())


def refused(action: object, *arguments: object, **options: object) -> Refusal:
    with pytest.raises(FileRefusal) as refusal:
        action(*arguments, **options)
    return refusal.value.refusal


def send(files: Files, path: str, data: bytes, *, piece_bytes: int = 1 << 20, upload: str = UPLOAD) -> Entry | None:
    made = None
    for offset in range(0, max(len(data), 1), piece_bytes):
        piece = data[offset : offset + piece_bytes]
        made = files.write(path, io.BytesIO(piece), Piece(upload, offset, len(piece), len(data)))
    return made


def unpack(files: Files, path: str = "", chosen: tuple[str, ...] = ()) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(b"".join(files.zip(path, chosen)))) as book:
        assert book.testzip() is None
        return {name: book.read(name) for name in book.namelist()}


# --- looking ---


def test_a_folder_lists_folders_first_and_counts_like_people(files: Files, root: Path) -> None:
    for name in ("b2.png", "b10.png", "A.png", "été.png", "图片.png"):
        (root / name).write_bytes(b"x")
    (root / "zoo").mkdir()
    (root / ".cache").mkdir()
    assert names(files) == ["zoo", "A.png", "b2.png", "b10.png", "été.png", "图片.png", ".cache"]


def test_an_entry_says_what_it_is(files: Files, root: Path) -> None:
    (root / "one.bin").write_bytes(b"12345")
    os.utime(root / "one.bin", (0, 1_700_000_000))
    (entry,) = files.list("").entries
    assert (entry.name, entry.kind, entry.size_bytes) == ("one.bin", Kind.FILE, 5)
    assert entry.modified_at == datetime.fromtimestamp(1_700_000_000, UTC)
    assert files.stat("one.bin") == entry
    assert files.stat("").kind == Kind.FOLDER


def test_the_newest_come_first_when_asked(files: Files, root: Path) -> None:
    for age, name in enumerate(("new", "middle", "old")):
        (root / name).touch()
        os.utime(root / name, (0, 1_700_000_000 - age))
    assert names(files, order=Order.NEWEST) == ["new", "middle", "old"]


def test_a_listing_comes_in_parts(files: Files, root: Path) -> None:
    for number in range(7):
        (root / f"{number}").touch()
    part = files.list("", offset=3, limit=2)
    assert [entry.name for entry in part.entries] == ["3", "4"]
    assert (part.total, part.complete) == (7, True)
    assert files.list("", offset=100).entries == []


def test_of_a_folder_that_was_filled_up_a_part_is_shown(files: Files, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MAX_ENTRIES", 3)
    for number in range(5):
        (root / f"{number}").touch()
    listing = files.list("")
    assert (len(listing.entries), listing.total, listing.complete) == (3, 3, False)
    assert files.extent("") == Extent(3, 0, complete=False)


def test_what_is_no_file_is_shown_for_what_it_is(files: Files, root: Path) -> None:
    os.mkfifo(root / "pipe")
    (root / "link").symlink_to("/etc/passwd")
    (root / "dangling").symlink_to("nowhere")
    kinds = {entry.name: entry.kind for entry in files.list("").entries}
    assert kinds == {"pipe": Kind.OTHER, "link": Kind.LINK, "dangling": Kind.LINK}


def test_a_name_that_is_not_text_is_shown_and_never_opened(files: Files, root: Path) -> None:
    (root / os.fsdecode(b"caf\xe9.png")).touch()
    (entry,) = files.list("").entries
    assert (entry.name, entry.kind) == ("caf�.png", Kind.OTHER)
    assert refused(files.read, "caf�.png") == Refusal.NOT_FOUND


@pytest.mark.parametrize("seconds", [-(10**11), 10**13])
def test_a_time_that_cannot_be_breaks_nothing(files: Files, root: Path, seconds: int) -> None:
    (root / "odd").touch()
    os.utime(root / "odd", (seconds, seconds))
    assert names(files) == ["odd"]
    assert unpack(files) == {"odd": b""}


def test_extent_and_usage_count_what_is_there(files: Files, root: Path) -> None:
    (root / "a").mkdir()
    (root / "a" / "1").write_bytes(b"x" * 10_000)
    (root / "a" / "2").write_bytes(b"y" * 5)
    (root / "link").symlink_to("a")
    assert files.extent("a") == Extent(2, 10_005)
    assert files.extent("a/2") == Extent(1, 5)
    usage = files.usage()
    assert 10_000 < usage.used_bytes < 100_000
    assert usage.free_bytes is not None
    assert usage.free_bytes > 0


def test_a_file_with_two_names_is_measured_once(files: Files, root: Path) -> None:
    (root / "one").write_bytes(b"x" * 100_000)
    before = files.usage().used_bytes
    os.link(root / "one", root / "two")
    assert files.usage().used_bytes == before


# --- reading ---


def test_a_file_is_read_whole_and_in_part(files: Files, root: Path) -> None:
    data = os.urandom(700_000)
    (root / "data").write_bytes(data)
    whole = files.read("data")
    assert (whole.entry.name, whole.start, whole.length) == ("data", 0, 700_000)
    assert b"".join(whole.chunks) == data
    for start, length in ((0, 1), (699_999, 1), (300_000, 300_000), (5, None), (699_990, 999)):
        part = files.read("data", start=start, length=length)
        wanted = data[start:] if length is None else data[start : start + length]
        assert (part.length, b"".join(part.chunks)) == (len(wanted), wanted)
    assert files.read("data", start=700_000).length == 0
    assert files.read("data", start=5, length=0).length == 0


def test_an_empty_file_is_read(files: Files, root: Path) -> None:
    (root / "empty").touch()
    content = files.read("empty")
    assert (content.length, b"".join(content.chunks)) == (0, b"")


def test_a_file_that_shrinks_is_not_taken_for_whole(files: Files, root: Path) -> None:
    (root / "data").write_bytes(os.urandom(40_000_000))
    content = files.read("data")
    next(content.chunks)
    os.truncate(root / "data", 0)
    with pytest.raises(FileRefusal) as refusal:
        list(content.chunks)
    assert refusal.value.refusal == Refusal.UNAVAILABLE


def test_reading_may_stop_at_any_moment(files: Files, root: Path) -> None:
    (root / "data").write_bytes(os.urandom(20_000_000))
    content = files.read("data")
    next(content.chunks)
    content.chunks.close()
    content.chunks.close()
    files.read("data").chunks.close()
    assert b"".join(files.read("data", length=3).chunks) == (root / "data").read_bytes()[:3]


# --- archives ---


def test_an_archive_holds_a_folder(files: Files, root: Path) -> None:
    (root / "out" / "deep").mkdir(parents=True)
    (root / "out" / "deep" / "图.png").write_bytes(os.urandom(600_000))
    (root / "out" / "a.txt").write_bytes(b"a")
    (root / "out" / "empty").mkdir()
    image = (root / "out" / "deep" / "图.png").read_bytes()
    inner = {"deep/": b"", "deep/图.png": image, "a.txt": b"a", "empty/": b""}
    assert unpack(files, "out") == inner
    assert unpack(files) == {"out/": b""} | {f"out/{name}": data for name, data in inner.items()}
    assert unpack(files, "out", ("deep", "a.txt")) == {"deep/": b"", "deep/图.png": image, "a.txt": b"a"}


def test_an_archive_says_what_it_leaves_out(files: Files, root: Path) -> None:
    (root / "good").write_bytes(b"good")
    (root / "link").symlink_to("/etc/passwd")
    os.mkfifo(root / "pipe")
    packed = unpack(files)
    assert sorted(packed.pop("_left-out.txt").decode().splitlines()) == ["These could not be read:", "link", "pipe"]
    assert packed == {"good": b"good"}


def test_no_name_in_an_archive_leads_out_of_where_it_is_unpacked(files: Files, root: Path) -> None:
    (root / "..\\..\\evil.exe").write_bytes(b"1")
    (root / "C:auto\nrun").write_bytes(b"2")
    (root / os.fsdecode(b"caf\xe9")).write_bytes(b"3")
    assert unpack(files) == {".._.._evil.exe": b"1", "C_auto_run": b"2", "caf_": b"3"}


def test_an_archive_of_too_many_is_refused_before_it_begins(files: Files, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MAX_ARCHIVED", 3)
    for number in range(4):
        (root / f"{number}").touch()
    assert refused(files.zip, "") == Refusal.TOO_MANY
    assert refused(files.zip, "", ("0", "nowhere")) == Refusal.NOT_FOUND
    assert set(unpack(files, "", ("0", "1", "2"))) == {"0", "1", "2"}


# --- writing ---


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 2500])
def test_an_upload_arrives_piece_by_piece(files: Files, root: Path, size: int) -> None:
    data = os.urandom(size)
    made = send(files, "new file.bin", data, piece_bytes=1000)
    assert made is not None
    assert (made.name, made.size_bytes) == ("new file.bin", size)
    assert (root / "new file.bin").read_bytes() == data
    assert on_disk(root) == ["new file.bin"]
    assert (root / "new file.bin").stat().st_mode & 0o777 == 0o664


def test_until_its_last_piece_an_upload_is_not_seen(files: Files, root: Path) -> None:
    assert files.write("big", io.BytesIO(b"123"), Piece(UPLOAD, 0, 3, 6)) is None
    assert names(files) == []
    assert unpack(files) == {}
    assert on_disk(root) == [f".{UPLOAD}.aigc-part"]
    assert refused(files.read, f".{UPLOAD}.aigc-part") == Refusal.BAD_PATH
    files.abandon("big", UPLOAD)
    files.abandon("big", UPLOAD)
    assert on_disk(root) == []


def test_a_piece_may_be_sent_again(files: Files, root: Path) -> None:
    files.write("big", io.BytesIO(b"12x"), Piece(UPLOAD, 0, 3, 6))
    files.write("big", io.BytesIO(b"123"), Piece(UPLOAD, 0, 3, 6))
    files.write("big", io.BytesIO(b"4"), Piece(UPLOAD, 3, 1, 6))
    assert files.write("big", io.BytesIO(b"456"), Piece(UPLOAD, 3, 3, 6)) is not None
    assert (root / "big").read_bytes() == b"123456"


def test_a_piece_that_is_cut_off_is_not_taken_for_whole(files: Files, root: Path) -> None:
    files.write("big", io.BytesIO(b"123"), Piece(UPLOAD, 0, 3, 6))
    assert refused(files.write, "big", io.BytesIO(b"4"), Piece(UPLOAD, 3, 3, 6)) == Refusal.CUT_OFF
    assert names(files) == []
    part = root / f".{UPLOAD}.aigc-part"
    wait_until(lambda: part.stat().st_size in {3, 4})
    assert send_last(files) is not None
    assert (root / "big").read_bytes() == b"123456"


def send_last(files: Files) -> Entry | None:
    return files.write("big", io.BytesIO(b"456"), Piece(UPLOAD, 3, 3, 6))


def test_an_upload_whose_beginning_is_gone_starts_anew(files: Files, root: Path) -> None:
    assert refused(send_last, files) == Refusal.LOST
    files.write("big", io.BytesIO(b"12"), Piece(UPLOAD, 0, 2, 6))
    assert refused(send_last, files) == Refusal.LOST
    assert names(files) == []


@pytest.mark.parametrize("piece", [Piece(UPLOAD, -1, 1, 6), Piece(UPLOAD, 4, 3, 6), Piece("../x", 0, 1, 1), Piece("", 0, 1, 1)])
def test_a_piece_that_does_not_fit_is_refused(files: Files, root: Path, piece: Piece) -> None:
    assert refused(files.write, "big", io.BytesIO(b"123"), piece) == Refusal.BAD_PIECE
    assert on_disk(root) == []


def test_nothing_is_ever_overwritten(files: Files, root: Path) -> None:
    (root / "a").write_bytes(b"old")
    (root / "folder").mkdir()
    (root / "dangling").symlink_to("nowhere")
    for name in ("a", "folder", "dangling"):
        assert refused(send, files, name, b"new") == Refusal.EXISTS
        assert refused(files.make_folder, name) == Refusal.EXISTS
        assert refused(files.rename, "a", name) == Refusal.EXISTS
    assert (root / "a").read_bytes() == b"old"
    assert on_disk(root) == ["a", "dangling", "folder"]


def test_who_comes_first_to_a_name_keeps_it(files: Files, root: Path) -> None:
    other = "f" * 32
    files.write("a", io.BytesIO(b"12"), Piece(UPLOAD, 0, 2, 4))
    assert send(files, "a", b"first", upload=other) is not None
    assert refused(files.write, "a", io.BytesIO(b"34"), Piece(UPLOAD, 2, 2, 4)) == Refusal.EXISTS
    assert (root / "a").read_bytes() == b"first"


def test_more_than_there_is_room_for_is_refused_at_once(files: Files, root: Path) -> None:
    assert refused(files.write, "big", io.BytesIO(b"1"), Piece(UPLOAD, 0, 1, 1 << 60)) == Refusal.FULL
    assert on_disk(root) == []


def test_an_upload_that_was_left_is_cleared_away_by_the_next(files: Files, root: Path) -> None:
    files.write("big", io.BytesIO(b"1"), Piece(UPLOAD, 0, 1, 2))
    left = root / f".{UPLOAD}.aigc-part"
    long_ago = left.stat().st_mtime - uploads.FORGOTTEN_SECONDS - 10
    os.utime(left, (long_ago, long_ago))
    send(files, "small", b"x", upload="e" * 32)
    assert on_disk(root) == ["small"]


@pytest.mark.parametrize("name", ["", " a", "a ", "tab\there", "a\\b", "new\nline", "\u202egnp.exe", "x" * 256, "图" * 86, "."])
def test_a_name_that_people_cannot_see_or_type_is_not_given(files: Files, root: Path, name: str) -> None:
    (root / "a").touch()
    for act in (lambda: files.make_folder(name), lambda: send(files, name, b""), lambda: files.rename("a", name)):
        assert refused(act) in {Refusal.BAD_NAME, Refusal.BAD_PATH}
    assert on_disk(root) == ["a"]


def test_folders_are_made_and_filled(files: Files, root: Path) -> None:
    files.make_folder("models")
    files.make_folder("models/模型 🎨")
    send(files, "models/模型 🎨/a.safetensors", b"x")
    assert (root / "models" / "模型 🎨" / "a.safetensors").read_bytes() == b"x"
    assert (root / "models").stat().st_mode & 0o777 == 0o775
    assert refused(files.make_folder, "nowhere/below") == Refusal.NOT_FOUND


def test_files_and_folders_are_renamed(files: Files, root: Path) -> None:
    (root / "d").mkdir()
    (root / "d" / "a").write_bytes(b"a")
    files.rename("d/a", "b")
    files.rename("d", "e")
    assert (root / "e" / "b").read_bytes() == b"a"
    assert refused(files.rename, "gone", "x") == Refusal.NOT_FOUND


def test_deleting_takes_what_is_named_and_nothing_else(files: Files, root: Path) -> None:
    (root / "d" / "deep").mkdir(parents=True)
    (root / "d" / "deep" / "a").touch()
    (root / "d" / "out").symlink_to(root.parent)
    (root / "keep").touch()
    (root / "link").symlink_to("keep")
    files.delete("link")
    files.delete("d")
    assert on_disk(root) == ["keep"]
    assert (root.parent / "secret.txt").exists()
    assert refused(files.delete, "d") == Refusal.NOT_FOUND
    assert refused(files.delete, "") == Refusal.BAD_PATH
