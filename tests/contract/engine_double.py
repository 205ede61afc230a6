"""An engine for tests: answers on /healthz, and misbehaves as told. Standard library alone, so that it starts at once."""

import argparse
import http.server
import os
import signal
import subprocess
import sys
import threading
import time

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--data", required=True)
parser.add_argument("--start-delay", type=float, default=0)
parser.add_argument("--never-listen", action="store_true")
parser.add_argument("--exit-after", type=float)
parser.add_argument("--exit-code", type=int, default=0)
parser.add_argument("--ignore-sigterm", action="store_true")
parser.add_argument("--grandchild", action="store_true", help="leave a child in a session of its own behind")
parser.add_argument("--say", default="", help="print this line every 50 ms")
options = parser.parse_args()


class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/healthz" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        return


def end(*_):
    print("ending", flush=True)
    os._exit(0)


def say_for_ever():
    while True:
        print(options.say, flush=True)
        time.sleep(0.05)


signal.signal(signal.SIGTERM, signal.SIG_IGN if options.ignore_sigterm else end)
print(f"double on port {options.port}", flush=True)
if options.grandchild:
    subprocess.Popen(["sleep", "600"], start_new_session=True)
if options.exit_after is not None:
    threading.Timer(options.exit_after, lambda: (print("giving up", flush=True), os._exit(options.exit_code))).start()
if options.say:
    threading.Thread(
        target=lambda: [(print(options.say, flush=True), time.sleep(0.05)) for _ in iter(int, 1)], daemon=True
    ).start()
time.sleep(options.start_delay)
if options.never_listen:
    threading.Event().wait()
print("listening", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Health).serve_forever()
sys.exit(options.exit_code)
