"""The demo engine as the tests run it: a real process on a free port, ended by its own id."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 20
READY = re.compile(r"Ready on (http://\S+:\d+)/")


@dataclass
class LoomProcess:
    process: subprocess.Popen[str]
    url: str
    client: httpx.Client

    def picture(self, **parameters: object) -> dict[str, object]:
        """Make small pictures and wait for them."""
        body = {"prompt": "blue silk", "seed": 7, "steps": 2, "width": 64, "height": 64} | parameters
        answer = self.client.post("/sdapi/v1/txt2img", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def gallery(self, **query: object) -> list[dict[str, object]]:
        return self.client.get("/api/images", params=query).json()["images"]


def spawn(version: int, data_dir: Path, *options: str, port: int = 0, **popen: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "engines.demo_engine", "--version", str(version), "--port", str(port)]
    return subprocess.Popen(
        [*command, "--data-dir", str(data_dir), *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **popen,
    )


@contextmanager
def loom(version: int, data_dir: Path, *options: str, **popen: object) -> Iterator[LoomProcess]:
    process = spawn(version, data_dir, *options, **popen)
    try:
        url = _wait_until_ready(process)
        with httpx.Client(base_url=url, timeout=DEADLINE_SECONDS) as client:
            yield LoomProcess(process, url, client)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def run_to_end(version: int, data_dir: Path, *options: str, port: int = 0) -> tuple[int, str]:
    """Exit code and output of an engine that ends by itself."""
    process = spawn(version, data_dir, *options, port=port)
    try:
        output, _ = process.communicate(timeout=DEADLINE_SECONDS)
    finally:
        process.kill()
    return process.returncode, output


def wait_until(condition, what: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


def _wait_until_ready(process: subprocess.Popen[str]) -> str:
    output = []
    for line in process.stdout:
        output.append(line)
        if found := READY.search(line):
            return found[1]
    raise AssertionError(f"the engine ended before it was ready:\n{''.join(output)}")
