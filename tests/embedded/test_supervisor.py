import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

# Runs as a program of its own, because a supervisor handles signals.
HARNESS = """
import sys
from honcho.printer import Printer
from aigc_portal.supervisor import Program, StartFailed, Supervisor
programs = eval(sys.argv[1], {"Program": Program, "python": sys.executable})
try:
    Supervisor(programs, each_tick=lambda: None, printer=Printer(sys.stdout)).run(announce=lambda: print("ANNOUNCED", flush=True))
except StartFailed as error:
    print(error)
    sys.exit(3)
print("STOPPED")
"""
LIVES = "import os, time; print('pid', os.getpid(), flush=True); time.sleep(600)"


class Harness:
    def __init__(self, programs):
        command = [sys.executable, "-c", HARNESS, programs]
        self.process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.output = ""

    def read_until(self, text):
        while text not in self.output:
            line = self.process.stdout.readline()
            assert line, f"{text!r} was not printed, but:\n{self.output}"
            self.output += line
        return self.output

    def pids(self, name):
        return [int(line.split()[-1]) for line in self.output.splitlines() if f" {name} " in line and "| pid " in line]

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        self.output += self.process.stdout.read()
        return self.process.wait()


@pytest.fixture
def harness():
    started = []

    def start(programs):
        started.append(Harness(programs))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.communicate()


LISTENS = """
import socket, sys, time
print("pid", flush=True)
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
time.sleep(600)
"""


def test_a_program_is_ready_once_its_socket_answers(harness, tmp_path):
    path = tmp_path / "it.sock"
    ran = harness(f"[Program('one', [python, '-c', {LISTENS!r}, {str(path)!r}], listens_at={f'unix:{path}'!r})]")
    ran.read_until("ANNOUNCED")
    assert "pid" in ran.output
    assert path.is_socket()


def wait_for_end(pid):
    deadline = time.monotonic() + 20
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, f"{pid} did not end"
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_announces_once_all_are_ready_and_stops_all_on_a_signal(harness, number):
    ran = harness(f"[Program('one', [python, '-c', {LIVES!r}], ready_phrase='pid'), Program('two', [python, '-c', {LIVES!r}])]")
    ran.read_until("ANNOUNCED")
    ran.read_until(" two ")
    assert ran.end(number) == 0
    assert ran.output.endswith("STOPPED\n")
    assert [psutil.pid_exists(pid) for pid in ran.pids("one") + ran.pids("two")] == [False, False]


def test_a_killed_program_starts_again(harness):
    ran = harness(f"[Program('one', [python, '-c', {LIVES!r}], ready_phrase='pid')]")
    ran.read_until("ANNOUNCED")
    os.kill(ran.pids("one")[0], signal.SIGKILL)
    ran.read_until("ended (by SIGKILL); starts again in 0.2 s")
    while len(ran.pids("one")) < 2:
        ran.output += ran.process.stdout.readline()
    assert psutil.pid_exists(ran.pids("one")[1])
    ran.end()


def test_what_a_killed_program_leaves_behind_is_ended(harness):
    parent = (
        "import os, subprocess, sys, time; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        "print('child', child.pid, flush=True); print('pid', os.getpid(), flush=True); time.sleep(600)"
    )
    ran = harness(f"[Program('one', [python, '-c', {parent!r}], ready_phrase='pid')]")
    ran.read_until("ANNOUNCED")
    child = next(int(line.split()[-1]) for line in ran.output.splitlines() if "| child " in line)
    os.kill(ran.pids("one")[0], signal.SIGKILL)
    wait_for_end(child)
    ran.end()


def test_a_program_that_cannot_start_ends_the_attempt(harness):
    ran = harness("[Program('one', [python, '-c', 'raise SystemExit(7)'], listens_at='127.0.0.1:1')]")
    output = ran.read_until("one does not start; its output above says why.")
    assert output.count("ended (exit code 7)") == 5
    assert "ANNOUNCED" not in output
    assert ran.process.wait() == 3


def test_a_program_that_ignores_the_request_to_stop_is_ended(harness):
    deaf = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {LIVES}"
    ran = harness(f"[Program('one', [python, '-c', {deaf!r}], ready_phrase='pid')]")
    ran.read_until("ANNOUNCED")
    assert ran.end() == 0
    assert "did not stop within 5 s and is ended" in ran.output
    assert not psutil.pid_exists(ran.pids("one")[0])


def test_programs_end_when_the_supervisor_is_killed(harness):
    ran = harness(f"[Program('one', [python, '-c', {LIVES!r}], ready_phrase='pid')]")
    ran.read_until("ANNOUNCED")
    ran.end(signal.SIGKILL)
    wait_for_end(ran.pids("one")[0])


def test_half_a_line_is_shown_when_its_program_ends(harness):
    ran = harness("[Program('one', [python, '-c', 'import sys; sys.stdout.write(chr(0x4e2d) + \"unfinished\")'])]")
    ran.read_until("| 中unfinished")
    ran.end()
