"""Starting the application, and asking it as its own page does (gradio/routes.py and client/js of 5.49)."""

import http.client
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

PYTHON = Path(sys.prefix) / "gradio" / "bin" / "python"
"""Made by `make test` from tests/gradio_app/requirements.txt."""
SESSION = "aigc0tests"


def command(port: str, until: Path) -> list[str]:
    """The application's command line; `port` may be a catalog's placeholder."""
    assert PYTHON.exists(), "Run the tests with `make test`: it sets Gradio up in an environment of its own."
    return [str(PYTHON), str(Path(__file__).with_name("app.py")), "--port", port, "--until", str(until)]


def click(address: str, headers: Mapping[str, str]) -> None:
    """Press the button: the job waits in the queue, then runs."""
    body = json.dumps({"data": ["a harbour"], "fn_index": 0, "session_hash": SESSION})
    with closing(_connect(address)) as connection:
        connection.request("POST", "/gradio_api/queue/join", body, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        assert json.load(answer)["event_id"]


@contextmanager
def listening(address: str, headers: Mapping[str, str]) -> Iterator[Iterator[dict]]:
    """Hold the page's stream of events open, and yield them as they come."""
    with closing(_connect(address)) as connection:
        connection.request("GET", f"/gradio_api/queue/data?session_hash={SESSION}", headers=dict(headers))
        answer = connection.getresponse()
        assert answer.status == 200
        yield (json.loads(line[6:]) for line in iter(answer.readline, b"") if line.startswith(b"data: "))


def wait_for(events: Iterator[dict], message: str) -> dict:
    """Read events up to the first of this kind."""
    return next(event for event in events if event["msg"] == message)


def queue_size(address: str) -> int:
    """What the application itself says waits, asked beside the gateway."""
    with closing(_connect(address)) as connection:
        connection.request("GET", "/gradio_api/queue/status")
        return json.load(connection.getresponse())["queue_size"]


def _connect(address: str) -> http.client.HTTPConnection:
    host, _colon, port = address.rpartition(":")
    return http.client.HTTPConnection(host, int(port), timeout=30)
