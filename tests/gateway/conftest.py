"""One gateway for the session: real Caddy, real gwauth on the test database, a hostile engine, a stand-in for the portal."""

import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client

from engines.models import Instance
from engines.states import InstanceState
from gateway.handoff import valkey as handoff_valkey
from tenants.models import User
from tests import factories
from tests.gateway.driving import Gateway, end, run, run_uvicorn, wait_for_port
from tests.stack import free_port

ROOT = Path(__file__).resolve().parents[2]


def database_url() -> str:
    """The test database, as the processes must be told of it."""
    given = urlsplit(os.environ["DATABASE_URL"])
    return given._replace(path=f"/{connection.settings_dict['NAME']}").geturl()


@pytest.fixture(scope="session")
def gateway_processes(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    logs = tmp_path_factory.mktemp("gateway")
    port, auth_port, portal_port = free_port(), free_port(), free_port()
    upstream_port = free_engine_port()
    variables = {
        "DATABASE_URL": database_url(),
        "AIGC_PORTAL_ORIGIN": f"http://portal.localhost:{port}",
        "AIGC_ENGINES_DOMAIN": f"engines.localhost:{port}",
        "AIGC_ENGINES_SCHEME": "http",
        "AIGC_PORTAL_BIND": f"127.0.0.1:{portal_port}",
        "AIGC_GWAUTH_BIND": f"127.0.0.1:{auth_port}",
        "AIGC_GATEWAY_KEYS": ",".join(KEYS),
    }
    started = []
    try:
        for name, app, its_port in (
            ("upstream", "tests.gateway.upstream:app", upstream_port),
            ("gwauth", "gateway.auth:app", auth_port),
            ("portal", "tests.gateway.upstream:app", portal_port),
        ):
            started.append((run_uvicorn(app, its_port, logs / f"{name}.log", **variables), its_port, logs / f"{name}.log"))
        caddy = run([sys.executable, str(ROOT / "manage.py"), "gateway"], logs / "caddy.log", **variables)
        started.append((caddy, port, logs / "caddy.log"))
        for process, its_port, log in started:
            wait_for_port(its_port, process, log)
        yield Gateway(
            port=port,
            upstream=f"127.0.0.1:{upstream_port}",
            caddy=caddy,
            gwauth=started[1][0],
            auth_address=f"http://127.0.0.1:{auth_port}",
            data_dir=Path(os.environ["AIGC_DATA_DIR"]),
        )
    finally:
        for process, _port, _log in reversed(started):
            end(process)


KEYS = ["2:" + "newest" * 8, "1:" + "older" * 8]


def free_engine_port() -> int:
    """A port that the gateway may dial."""
    for port in reversed(django_settings.LOCAL_PORTS):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise AssertionError("no port for the engine is free")


@pytest.fixture
def gateway(gateway_processes: Gateway, settings, transactional_db: None) -> Iterator[Gateway]:
    """The running gateway; the test's own settings speak of it."""
    settings.PORTAL_ORIGIN = f"http://{gateway_processes.portal_host}"
    settings.PORTAL_HOST = gateway_processes.portal_host
    settings.ENGINES_DOMAIN = gateway_processes.domain
    settings.GATEWAY_KEYS = KEYS
    yield gateway_processes
    keys = handoff_valkey().keys(f"{settings.REDIS_PREFIX}:gw:*")
    if keys:
        handoff_valkey().delete(*keys)


@pytest.fixture
def make_instance(gateway: Gateway, acme, alice, tmp_path: Path) -> Callable[..., Instance]:
    cluster = factories.make_cluster(tmp_path / "cluster")

    def make(**fields: object) -> Instance:
        owner = fields.pop("owner", alice)
        fields = {"state": InstanceState.RUNNING, "upstream": gateway.upstream} | fields
        return factories.make_instance(fields.pop("tenant", acme), owner, cluster, **fields)

    return make


@pytest.fixture
def instance(make_instance: Callable[..., Instance]) -> Instance:
    """An instance of alice's that runs."""
    return make_instance()


def portal_client(gateway: Gateway, user: User | None) -> Client:
    client = Client(HTTP_HOST=gateway.portal_host)
    if user is not None:
        client.force_login(user)
    return client


@pytest.fixture
def alice_client(gateway: Gateway, alice: User) -> Client:
    return portal_client(gateway, alice)


@pytest.fixture
def bob_client(gateway: Gateway, bob: User) -> Client:
    return portal_client(gateway, bob)


@pytest.fixture
def signed_in(gateway: Gateway, alice_client: Client, instance: Instance) -> str:
    """Alice's cookie on the engine's host."""
    return gateway.sign_in(alice_client, instance)
