"""A small engine for tests: answers its health path, keeps files, and misbehaves on demand. Standard library, started with -S."""

import argparse
import http.server
import os
import signal
import socketserver
import subprocess
import sys
import threading
import time
from pathlib import Path

# A grandchild that left the session, ignores requests to end, and would outlive everything.
ORPHAN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('orphan up', flush=True); time.sleep(600)"


SICKNESSES = ("fails", "babbles", "hangs")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--host", default="127.0.0.1", help="what it listens on; a Pod is asked from outside")
    parser.add_argument("--data", type=Path, default=Path())
    parser.add_argument("--start-delay", type=float, default=0, help="seconds before it listens")
    parser.add_argument("--never-listen", action="store_true")
    parser.add_argument("--unready", action="store_true", help="answer 503 until a file `ready` is on the volume")
    parser.add_argument("--touch", default="", help="make a file of this name on the volume first")
    parser.add_argument("--leave-a-note", action="store_true", help="on the volume when asked to end; told by the next start")
    parser.add_argument("--exit-after", type=float, help="seconds")
    parser.add_argument("--exit-code", type=int, default=0)
    parser.add_argument("--ignore-sigterm", action="store_true")
    parser.add_argument("--grandchild", action="store_true", help="leave one in a session of its own that ignores SIGTERM")
    parser.add_argument("--spam", type=int, default=0, help="bytes of log to write")
    parser.add_argument("--burn", action="store_true", help="keep one core busy")
    parser.add_argument("--greet", default="", help="added to the first line of the log")
    parser.add_argument("--sick", choices=SICKNESSES, help="healthy, but of no use to whoever asks anything else")
    parser.add_argument("--say", default="", help="a line for the log every 50 ms")
    return parser.parse_args()


class Page(http.server.BaseHTTPRequestHandler):
    data = Path()
    unready = leaves_note = False
    sickness = ""

    def do_GET(self) -> None:
        if self.sickness and self.path != "/healthz":
            self.be_sick()
            return
        ready = not self.unready or (self.data / "ready").exists()
        note = self.data / "note"
        told = os.environ | ({"NOTE": note.read_text()} if note.exists() else {})
        answer = "\n".join(f"{key}={value}" for key, value in sorted(told.items())).encode()
        self.send_response(200 if ready else 503)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def be_sick(self) -> None:
        if self.sickness == "hangs":
            threading.Event().wait()
        body = b"<html>queue: maybe" if self.sickness == "babbles" else b"out of memory"
        self.send_response(200 if self.sickness == "babbles" else 500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def leave(signum: int, frame: object) -> None:
    say("stopping")
    if Page.leaves_note:
        (Page.data / "note").write_text("left in peace")
    sys.exit(0)


def keep_saying(line: str) -> None:
    while True:
        say(line)
        time.sleep(0.05)


def burn() -> None:
    while True:
        sum(range(10_000))


def spam(amount: int) -> None:
    line = "spam " * 20 + "\n"
    for _ in range(amount // len(line)):
        sys.stdout.write(line)
    sys.stdout.flush()


def main() -> None:
    options = parse()
    signal.signal(signal.SIGTERM, signal.SIG_IGN if options.ignore_sigterm else leave)
    say(f"engine up {options.greet}".strip())
    spam(options.spam)
    if options.say:
        threading.Thread(target=keep_saying, args=[options.say], daemon=True).start()
    if options.burn:
        threading.Thread(target=burn, daemon=True).start()
    if options.grandchild:
        subprocess.Popen([sys.executable, "-S", "-c", ORPHAN], start_new_session=True)
    if options.exit_after is not None:
        threading.Timer(options.exit_after, os._exit, [options.exit_code]).start()
    time.sleep(options.start_delay)
    if options.never_listen:
        threading.Event().wait()
    if options.touch:
        (options.data / options.touch).touch()
    Page.data, Page.unready, Page.leaves_note = options.data, options.unready, options.leave_a_note
    Page.sickness = options.sick or ""
    with Server((options.host, options.port), Page) as server:
        say("listening")
        server.serve_forever(poll_interval=0.05)


if __name__ == "__main__":
    main()
