"""What gwauth tells of the use of engines, and what it asks the gateway about work that is still open."""

import asyncio
import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from websockets.sync.client import connect

from aigc_portal.embedded.layout import layout_of
from engines.activity.recorded import Recorded, Recorder, read
from engines.models import Instance
from gateway import streams
from gateway.streams import open_work, plain_address, slugs_of_upstreams, watch_streams, working
from tests import factories
from tests.gateway.driving import SCRIPT, Gateway, end, run_uvicorn, wait_for_port
from tests.waiting import wait_until

DEADLINE_SECONDS = 20
ACTIVITY = {"work": ["^/events$", "^/ws$", "POST ^/upload$"], "poll": ["^/queue$"]}


@pytest.fixture
def busy_kind(make_instance: Callable[..., Instance]) -> Instance:
    """An instance of a version whose /events and /ws are open as long as it works."""
    return make_instance(engine_version=factories.make_engine_version(activity=ACTIVITY))


@pytest.fixture
def pass_of(gateway: Gateway, alice_client) -> Callable[[Instance], str]:
    return lambda instance: gateway.sign_in(alice_client, instance)


def heard(instance: Instance) -> Recorded:
    return read([instance.slug])[instance.slug]


def test_each_kind_of_request_is_told_in_its_class(gateway, make_instance, busy_kind, alice_client):
    begun_at = datetime.fromtimestamp(int(time.time()), UTC)
    cookie = gateway.sign_in(alice_client, busy_kind)
    wait_until(lambda: heard(busy_kind).streams_at)  # gwauth counts open work by itself
    assert (heard(busy_kind).user_at, heard(busy_kind).any_at) == (None, None)  # a sign-in is no use yet
    assert gateway.call(busy_kind, "/queue", cookie).status == 200
    wait_until(lambda: heard(busy_kind).any_at)
    assert (heard(busy_kind).user_at, heard(busy_kind).work_at) == (None, None)
    other = factories.make_instance(
        busy_kind.tenant, busy_kind.owner, busy_kind.cluster, state="running", upstream=gateway.upstream
    )
    assert gateway.visit(other, cookie=gateway.sign_in(alice_client, other)).status == 200
    wait_until(lambda: heard(other).user_at)
    assert begun_at <= heard(other).user_at == heard(other).any_at
    assert heard(other).work_at is None


def test_who_is_not_let_in_is_no_use(gateway, busy_kind, pass_of):
    assert gateway.visit(busy_kind).status == 302
    assert gateway.call(busy_kind, "/upload", pass_of(busy_kind), "POST", Origin="http://evil.example").status == 403
    other = gateway.call(busy_kind, "/queue", pass_of(busy_kind))
    assert other.status == 200
    wait_until(lambda: heard(busy_kind).any_at)
    assert (heard(busy_kind).user_at, heard(busy_kind).work_at) == (None, None)


@contextmanager
def event_stream(gateway: Gateway, instance: Instance, cookie: str, path: str = "/events") -> Iterator[None]:
    with closing(http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)) as connection:
        connection.request("GET", path, headers=SCRIPT | {"Host": gateway.host(instance), "Cookie": cookie})
        assert connection.getresponse().readline() == b"data: first\n"
        yield


@contextmanager
def web_socket(gateway: Gateway, instance: Instance, cookie: str, path: str = "/ws") -> Iterator[None]:
    host = gateway.host(instance)
    raw = socket.create_connection(("127.0.0.1", gateway.port))
    with connect(f"ws://{host}{path}", sock=raw, origin=f"http://{host}", additional_headers={"Cookie": cookie}) as channel:
        channel.send("hello")
        assert channel.recv(timeout=10) == "hello"
        yield


def counted(gateway: Gateway) -> list[str]:
    return asyncio.run(open_work(layout_of(gateway.data_dir).gateway_admin_socket))


@pytest.mark.parametrize("opened", [event_stream, web_socket])
def test_the_gateway_counts_open_work_apart(gateway, busy_kind, pass_of, opened):
    cookie = pass_of(busy_kind)
    assert counted(gateway) == []
    with opened(gateway, busy_kind, cookie):
        wait_until(lambda: counted(gateway) == [gateway.upstream])
    wait_until(lambda: counted(gateway) == [])


@pytest.fixture
def at_six(gateway: Gateway, busy_kind: Instance, tmp_path: Path) -> Iterator[str]:
    """The same engine at an IPv6 address."""
    port = int(gateway.upstream.split(":")[1])
    process = run_uvicorn("tests.gateway.upstream:app", port, tmp_path / "six.log", host="::1")
    try:
        wait_for_port(port, process, tmp_path / "six.log", host="::1")
        yield f"[::1]:{port}"
    finally:
        end(process)


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="this machine has no IPv6")
@pytest.mark.parametrize("opened", [event_stream, web_socket])
def test_open_work_at_an_ipv6_address_is_counted_too(gateway, busy_kind, at_six, pass_of, opened):
    Instance.objects.filter(pk=busy_kind.pk).update(upstream=at_six)
    cookie = pass_of(busy_kind)
    with opened(gateway, busy_kind, cookie):
        wait_until(lambda: counted(gateway) == [at_six])
        assert slugs_of_upstreams([at_six]) == [busy_kind.slug]
    wait_until(lambda: counted(gateway) == [])


def test_what_is_open_otherwise_is_no_work(gateway, make_instance, pass_of):
    """An idle tab: its WebSocket and its event stream stay open for ever."""
    instance = make_instance(engine_version=factories.make_engine_version(activity={"work": ["^/other$"]}))
    cookie = pass_of(instance)
    with event_stream(gateway, instance, cookie), web_socket(gateway, instance, cookie):
        assert open_requests(gateway) == {gateway.upstream: 2}
        assert counted(gateway) == []


def open_requests(gateway: Gateway) -> dict[str, int]:
    """How many requests are open to each address of engines, as Caddy itself has it."""
    with closing(socket.socket(socket.AF_UNIX)) as admin:
        admin.connect(str(layout_of(gateway.data_dir).gateway_admin_socket))
        admin.sendall(b"GET /reverse_proxy/upstreams HTTP/1.0\r\nHost: gateway\r\n\r\n")
        answer = b"".join(iter(lambda: admin.recv(65_536), b""))
    rows = json.loads(answer.partition(b"\r\n\r\n")[2])
    return {row["address"]: row["num_requests"] for row in rows if row["address"].endswith(gateway.upstream.split(":")[1])}


def test_the_engine_sees_no_difference(gateway, busy_kind, make_instance, pass_of):
    plain = make_instance(engine_version=factories.make_engine_version(activity={"work": []}))
    working_kind = make_instance(engine_version=factories.make_engine_version(activity={"work": ["^/echo$"]}))
    seen = {}
    for instance in (plain, working_kind):
        seen[instance.slug] = gateway.call(instance, "/echo?x=%20", pass_of(instance)).json()
    for answer, instance in ((seen[plain.slug], plain), (seen[working_kind.slug], working_kind)):
        assert (answer["method"], answer["target"], dict(answer["headers"])["host"]) == (
            "GET",
            "/echo?x=%20",
            gateway.host(instance),
        )
    names = [[name for name, _ in seen[slug]["headers"]] for slug in (plain.slug, working_kind.slug)]
    assert names[0] == names[1]


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


async def looked(recorder: Recorder, admin_socket: Path, executor: ThreadPoolExecutor, until: Callable[[], bool]) -> None:
    """Watch until the condition holds."""
    task = asyncio.create_task(watch_streams(recorder, admin_socket, executor))
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not until():  # noqa: ASYNC110 - the condition is in another process
            await asyncio.sleep(0.01)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def test_open_work_is_told_of_the_engines_that_are_reached_there(gateway, busy_kind, pass_of, executor, monkeypatch):
    monkeypatch.setattr(streams, "LOOK_SECONDS", 0.05)
    recorder, admin_socket = Recorder(), layout_of(gateway.data_dir).gateway_admin_socket
    with event_stream(gateway, busy_kind, pass_of(busy_kind)):
        asyncio.run(looked(recorder, admin_socket, executor, lambda: busy_kind.slug in recorder.unwritten))
    moments = recorder.unwritten[busy_kind.slug]
    assert moments == {"work_at": moments["any_at"], "any_at": moments["any_at"]}
    assert recorder.unwritten["*"]["any_at"] >= moments["any_at"]


async def test_a_gateway_that_hangs_up_is_asked_again(tmp_path, executor, monkeypatch):
    monkeypatch.setattr(streams, "LOOK_SECONDS", 0.001)
    recorder, asked = Recorder(), []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering.append(asyncio.current_task())
        with suppress(OSError, asyncio.IncompleteReadError), closing(writer):
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            if len(asked) > 1:  # the first time it goes away without a word
                writer.write(b"HTTP/1.0 200 OK\r\n\r\n[]")
        with suppress(OSError):
            await writer.wait_closed()

    answering: list[asyncio.Task | None] = []
    async with await asyncio.start_unix_server(answer, tmp_path / "admin.sock"):
        await looked(recorder, tmp_path / "admin.sock", executor, lambda: "*" in recorder.unwritten)
        await asyncio.gather(*filter(None, answering))
    assert len(asked) > 1


async def test_while_the_gateway_cannot_be_asked_nothing_is_told(tmp_path, executor, monkeypatch, caplog):
    monkeypatch.setattr(streams, "LOOK_SECONDS", 0.001)
    recorder = Recorder()
    await looked(recorder, tmp_path / "none.sock", executor, lambda: "open work cannot be counted" in caplog.text)
    assert recorder.unwritten == {}
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "rows", [{}, {"error": "x"}, [1], [{"address": "[::ffff:127.0.0.1]:1"}], [{"address": 5, "num_requests": 1}]]
)
def test_another_shape_of_the_gateways_list_is_no_list(rows):
    if rows == {}:
        assert working(rows) == []
    else:
        with pytest.raises(ValueError, match="in another shape"):
            working(rows)


def test_which_addresses_are_those_of_work():
    assert plain_address("[::ffff:127.0.0.1]:9105") == "127.0.0.1:9105"
    assert plain_address("[fd00::1%0]:80") == "[fd00::1]:80"
    assert plain_address("[::ffff:127.0.0.1%0]:80") == "[::ffff:127.0.0.1]:80"
    assert plain_address("i-b.aigc-t-acme.svc.cluster.local.:80") == "i-b.aigc-t-acme.svc.cluster.local:80"
    unchanged = (
        "127.0.0.1:9105",
        "i-b.aigc-t-acme.svc.cluster.local:80",
        "{http.vars.upstream}",
        "[fd00::1]:80",
        "unix//run/a.sock",
    )
    assert [plain_address(each) for each in unchanged] == [None] * len(unchanged)


def test_nobody_is_reached_where_nothing_runs(busy_kind, make_row, gateway):
    make_row(state="stopping", upstream=gateway.upstream)
    assert slugs_of_upstreams([gateway.upstream]) == [busy_kind.slug]
    assert slugs_of_upstreams(["127.0.0.1:1"]) == []
