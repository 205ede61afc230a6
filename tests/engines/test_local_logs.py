"""Engines' output and what is read from it."""

import pytest

from engines.clusters.local import logs
from engines.clusters.local.outcome import Remains, describe, judge
from engines.reasons import Reason

TEXT = "Zürich 図 🎨 end"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log-one"


def read(path, cursor="", tail_bytes=100):
    return logs.read(path, "one", cursor=cursor, tail_bytes=tail_bytes)


@pytest.mark.parametrize("cut", range(len(TEXT.encode()) + 1))
def test_characters_are_never_cut_between_two_reads(path, cut):
    raw = TEXT.encode()
    path.write_bytes(raw[:cut])
    first = read(path, "one:0")
    path.write_bytes(raw)
    assert first.text + read(path, first.cursor).text == TEXT


@pytest.mark.parametrize("tail_bytes", range(1, len(TEXT.encode()) + 1))
def test_a_tail_begins_with_a_whole_character(path, tail_bytes):
    path.write_bytes(TEXT.encode())
    text = read(path, tail_bytes=tail_bytes).text
    assert TEXT.endswith(text)
    assert len(text.encode()) > tail_bytes - 4


def test_what_is_no_text_is_replaced(path):
    path.write_bytes(b"a\xff\xfeb\x80c\n")
    assert read(path, "one:0").text == "a\ufffd\ufffdb\ufffdc\n"


@pytest.mark.parametrize("cursor", ["other:5", "one:999", "one:x", "nonsense", "one:"])
def test_a_cursor_that_points_nowhere_starts_at_the_beginning(path, cursor):
    path.write_bytes(b"hello")
    assert read(path, cursor).text == "hello"


def test_a_long_log_is_read_in_pieces(path):
    path.write_bytes(b"x" * (2 * 1024 * 1024 + 5))
    sizes, cursor = [], "one:0"
    while text := (chunk := read(path, cursor)).text:
        sizes.append(len(text))
        cursor = chunk.cursor
    assert sizes == [1024 * 1024, 1024 * 1024, 5]


def test_a_log_that_grows_without_end_is_bounded_and_can_be_followed(path):
    line = b"spam spam spam!\n"
    with path.open("ab", buffering=0) as log:
        log.write(line * (24 * 1024 * 1024 // len(line)))
        cursor = read(path).cursor
        logs.bound(path)
        assert path.stat().st_blocks * 512 <= logs.KEEP_BYTES + 8192
        log.write(b"more\n")
    assert read(path, cursor).text == "more\n"
    assert read(path, tail_bytes=21).text == "spam spam spam!\nmore\n"
    assert read(path, "one:0").text.startswith("spam spam spam!\n")


def test_a_short_log_is_left_alone(path):
    path.write_bytes(b"x" * logs.KEEP_BYTES)
    logs.bound(path)
    assert path.stat().st_blocks * 512 >= logs.KEEP_BYTES


def remains(code, *, same_boot=True, was_ready=False, kernel_killed=False, log_tail=""):
    return Remains(code, same_boot=same_boot, was_ready=was_ready, kernel_killed=kernel_killed, log_tail=log_tail)


@pytest.mark.parametrize(
    ("left", "reason", "evidence"),
    [
        (remains(0), Reason.ENGINE_EXITED, "exit code 0"),
        (remains(7, log_tail="a\nb\n"), Reason.ENGINE_EXITED, "exit code 7\na\nb"),
        (remains(137), Reason.ENGINE_KILLED, "exit code 137 (SIGKILL)"),
        (remains(143), Reason.ENGINE_KILLED, "exit code 143 (SIGTERM)"),
        (remains(139), Reason.ENGINE_EXITED, "exit code 139 (SIGSEGV)"),
        (remains(137, kernel_killed=True), Reason.OUT_OF_MEMORY, None),
        (remains(1, kernel_killed=True), Reason.ENGINE_EXITED, "exit code 1"),
        (remains(1, log_tail="torch.OutOfMemoryError: CUDA out of memory."), Reason.OUT_OF_MEMORY, None),
        (remains(0, log_tail="MemoryError, but handled"), Reason.ENGINE_EXITED, None),
        (remains(1, log_tail="OSError: [Errno 28] No space left on device"), Reason.DISK_FULL, None),
        (remains(127), Reason.START_REFUSED, "exit code 127"),
        (remains(127, was_ready=True), Reason.ENGINE_EXITED, "exit code 127"),
        (remains(None), Reason.ENGINE_KILLED, "ended without an exit code"),
        (remains(None, same_boot=False), Reason.WORKLOAD_VANISHED, "ended when the machine restarted"),
    ],
)
def test_the_reason_of_an_end(left, reason, evidence):
    assert judge(left) == reason
    assert evidence is None or describe(left) == evidence


def test_evidence_is_the_last_twenty_lines():
    lines = [str(number) for number in range(50)]
    assert describe(remains(1, log_tail="\n".join(lines))).splitlines() == ["exit code 1", *lines[30:]]
