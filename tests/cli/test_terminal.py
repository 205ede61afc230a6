"""What a terminal gets: completion in three shells, words for times, and nothing that could steer it."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
import typer

from aigc import output
from aigc.app import app
from aigc.durations import seconds_of
from aigc.failures import Misused
from tests.cli.conftest import CLIENT, Aigc
from tests.cli.portal_double import Answer, PortalDouble
from tests.cli.test_refusals import DRAGON


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_is_given_a_script(shell: str, aigc: Aigc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    done = aigc("--show-completion", shell)
    assert done.code == 0
    assert "_AIGC_COMPLETE=complete_" + shell in done.out
    assert "aigc" in done.out


def complete(line: str) -> list[str]:
    """What bash would be given for a line with the cursor at its end."""
    words = line.split(" ")
    asked = {"_AIGC_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), "PYTHONPATH": str(CLIENT)}
    done = subprocess.run([sys.executable, "-m", "aigc"], env=os.environ | asked, capture_output=True, text=True, check=False)
    return done.stdout.split()


def test_names_are_completed_from_the_portal(double: PortalDouble) -> None:
    assert {"launch", "list", "logs", "login"} <= set(complete("aigc l"))
    double.will(double.lists(DRAGON, DRAGON | {"name": "Wyvern"}))
    assert complete("aigc pause Dr") == ["Dragon"]
    double.will(double.lists(DRAGON | {"name": "Two words; $HOME"}))
    assert complete("aigc pause ") == [DRAGON["id"]]
    double.will(double.lists({"slug": "l4"}, {"slug": "h100"}))
    assert complete("aigc launch comfyui --gpu l") == ["l4"]
    assert complete("aigc pause Dr") == []  # it is away


def test_everything_explains_itself(aigc: Aigc) -> None:
    assert aigc("--version").out == "aigc 0.1.0\n"
    help_text = aigc("--help").out
    for command in typer.main.get_command(app).commands:
        assert f"\n  {command} " in help_text
        assert aigc(command, "--help").code == 0
    assert aigc("lunch").code == 2
    assert aigc("launch", "comfyui").code == 2


@contextmanager
def on_a_terminal(*arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a command on a terminal; yields it with our end of that."""
    ours, theirs = pty.openpty()
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), theirs)
    command = [sys.executable, "-m", "aigc", *arguments]
    environment = dict(os.environ, PYTHONPATH=str(CLIENT), TERM="xterm")
    with subprocess.Popen(command, env=environment, start_new_session=True, **streams) as process:
        os.close(theirs)
        try:
            yield process, ours
        finally:
            process.kill()
            os.close(ours)


def shown_until(ours: int, word: str = "") -> str:
    """What the terminal shows up to a word, or to the end."""
    shown = b""
    while not word or word not in shown.decode(errors="replace"):
        try:
            shown += os.read(ours, 10_000)
        except OSError:  # the other end is closed
            break
    return shown.decode()


@pytest.mark.parametrize(("no_color", "colours"), [("", True), ("1", False)])
def test_colours_are_for_terminals_that_want_them(
    no_color: str, colours: bool, double: PortalDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    row = DRAGON | {
        "gpu_class": {"slug": "l4", "name": "L4"},
        "state_since": datetime.now(UTC).isoformat(),
        "name": "Dra\x1b[2Jgon",
    }
    double.will(double.lists(row))
    with on_a_terminal("list") as (_process, ours):
        shown = shown_until(ours)
    assert ("\x1b[32mRunning\x1b[0m" in shown) is colours
    assert "Dra [2Jgon" in shown
    assert ("\x1b" in shown) is colours


def test_a_token_that_is_typed_is_not_shown(double: PortalDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIGC_TOKEN")
    double.will(Answer(200, {"username": "alice", "tenants": [{"slug": "acme"}]}))
    with on_a_terminal("login") as (process, ours):
        asked = shown_until(ours, "Access token: ")
        os.write(ours, b"aigc_pat_typed\n")
        shown = asked + shown_until(ours)
        assert process.wait(20) == 0, shown
    assert f"Signed in at {double.address} as alice." in shown
    assert "aigc_pat_typed" not in shown
    assert double.sent("Authorization") == ["Bearer aigc_pat_typed"]


def test_progress_is_one_line_that_changes(double: PortalDouble) -> None:
    coming = DRAGON | {"status": "Starting", "group": "coming"}
    double.will(Answer(201, coming), Answer(200, DRAGON))
    with on_a_terminal("launch", "comfyui", "--gpu", "l4", "--wait") as (process, ours):
        lines = shown_until(ours).split("\r\n")
        assert process.wait(20) == 0
    assert [re.sub(r"\d+ s", "N s", each).strip() for each in lines[0].split("\r") if each] == [
        "Dragon: Starting N s",
        "Dragon: Starting N s > Running N s",
    ]
    assert lines[1:] == ["Dragon is running.", DRAGON["url"], ""]


def test_a_log_keeps_its_colours_and_steers_nothing() -> None:
    log = "\x1b[31mred\x1b[0m\tx\r\n\x1b]0;title\x07\x1b[2J\x1b]52;c;aGk=\x1b\\\x9b1mend\x1b"
    assert output.harmless(log) == "\x1b[31mred\x1b[0m\tx\n1mend"


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("15 min", 900), ("2h", 7200), ("1h30m", 5400), ("1d", 86_400)]
)
def test_lengths_of_time_as_typed(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "soon", "-5m", "1.5h", "m"])
def test_lengths_of_time_that_are_none(text: str) -> None:
    with pytest.raises(Misused):
        seconds_of(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (60, "1 min"), (61, "1 min 1 s"), (7260, "2 h 1 min"), (90_000, "1 d 1 h")]
)
def test_lengths_of_time_as_shown(seconds: float, text: str) -> None:
    assert output.duration(seconds) == text


def test_wide_names_stay_in_line(capsys: pytest.CaptureFixture[str]) -> None:
    output.show_table(("NAME", "ID"), [("龙", "a"), ("Dragon", "b")], empty="")
    assert capsys.readouterr().out == "NAME    ID\n龙      a\nDragon  b\n"
    assert output.money({"amount": "12.345", "currency": "USD"}) == "12.34 USD"
