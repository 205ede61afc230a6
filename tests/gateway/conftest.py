"""One gateway for the session: real Caddy, real gwauth on the test database, a hostile engine, a stand-in for the portal."""

import os
import socket
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client

from engines.models import Cluster, GpuClass, Instance
from engines.states import InstanceState
from gateway.api_tokens.operations import Made, Wanted, make_api_token
from gateway.handoff import valkey as handoff_valkey
from gateway.models import ApiToken
from tenants.models import Membership, User
from tests import driving, factories
from tests.gateway.driving import Gateway, end, run, run_uvicorn, wait_for_port
from tests.gateway.tab import Tab
from tests.stack import free_port
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]


def database_url() -> str:
    """The test database, as the processes must be told of it."""
    given = urlsplit(os.environ["DATABASE_URL"])
    return given._replace(path=f"/{connection.settings_dict['NAME']}").geturl()


@pytest.fixture(scope="session")
def gateway_processes(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    logs = tmp_path_factory.mktemp("gateway")
    port, auth_port, portal_port = free_port(), free_port(), free_port()
    upstream_port, free_engine_port = two_engine_ports()
    variables = {
        "DATABASE_URL": database_url(),
        "AIGC_PORTAL_ORIGIN": f"http://portal.localhost:{port}",
        "AIGC_ENGINES_DOMAIN": f"engines.localhost:{port}",
        "AIGC_ENGINES_SCHEME": "http",
        "AIGC_PORTAL_BIND": f"127.0.0.1:{portal_port}",
        "AIGC_GWAUTH_BIND": f"127.0.0.1:{auth_port}",
        "AIGC_GATEWAY_KEYS": ",".join(KEYS),
        "AIGC_GATEWAY_UPSTREAM_PATTERNS": rf"\[::1\]:{upstream_port}",
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
        gateway = Gateway(
            port=port,
            upstream=f"127.0.0.1:{upstream_port}",
            caddy=caddy,
            gwauth=started[1][0],
            auth_address=f"http://127.0.0.1:{auth_port}",
            free_engine_port=free_engine_port,
            data_dir=Path(os.environ["AIGC_DATA_DIR"]),
        )
        # What listens may not have asked its first question yet.
        wait_until(lambda: gateway.send(f"nobody.{gateway.domain}").status < 500, seconds=60)
        yield gateway
    finally:
        for process, _port, _log in reversed(started):
            end(process)


KEYS = ["2:" + "newest" * 8, "1:" + "older" * 8]


def two_engine_ports() -> list[int]:
    """Ports that the gateway may dial and that nobody has."""
    free = []
    for port in reversed(django_settings.LOCAL_PORTS):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                free.append(port)
        if len(free) == 2:
            break
    return free


@pytest.fixture
def gateway(gateway_processes: Gateway, settings, transactional_db: None) -> Gateway:
    """The running gateway; the test's own settings speak of it."""
    settings.PORTAL_ORIGIN = f"http://{gateway_processes.portal_host}"
    settings.PORTAL_HOST = gateway_processes.portal_host
    settings.ENGINES_DOMAIN = gateway_processes.domain
    settings.GATEWAY_KEYS = KEYS
    return gateway_processes


@pytest.fixture(autouse=True)
def no_codes_left() -> Iterator[None]:
    yield
    keys = handoff_valkey().keys(f"{django_settings.REDIS_PREFIX}:gw:*")
    if keys:
        handoff_valkey().delete(*keys)


@pytest.fixture
def make_row(acme, alice, tmp_path: Path) -> Callable[..., Instance]:
    """Instances of alice's that exist in the database alone."""
    cluster = factories.make_cluster(tmp_path / "cluster")

    def make(**fields: object) -> Instance:
        fields = {"tenant": acme, "owner": alice, "state": InstanceState.RUNNING, "upstream": "127.0.0.1:20000"} | fields
        return factories.make_instance(fields.pop("tenant"), fields.pop("owner"), cluster, **fields)

    return make


@pytest.fixture
def make_instance(gateway: Gateway, make_row: Callable[..., Instance]) -> Callable[..., Instance]:
    """Instances of alice's that run behind the gateway."""
    return lambda **fields: make_row(**{"upstream": gateway.upstream} | fields)


@pytest.fixture
def instance(make_instance: Callable[..., Instance]) -> Instance:
    """An instance of alice's that runs."""
    return make_instance()


def portal_client(user: User | None) -> Client:
    client = Client(HTTP_HOST=django_settings.PORTAL_HOST)
    if user is not None:
        client.force_login(user)
    return client


@pytest.fixture
def alice_client(request: pytest.FixtureRequest, alice: User) -> Client:
    return client_on_portal(request, alice)


@pytest.fixture
def bob_client(request: pytest.FixtureRequest, bob: User) -> Client:
    return client_on_portal(request, bob)


def client_on_portal(request: pytest.FixtureRequest, user: User) -> Client:
    """A client of the portal that belongs to the running gateway, if the test uses it."""
    if "gateway" in request.fixturenames:
        request.getfixturevalue("gateway")
    return portal_client(user)


@pytest.fixture
def make_token(alice_in_acme: Membership) -> Callable[..., Made]:
    """API tokens, alice's for all of acme unless told otherwise."""

    def make(instance: Instance | None = None, **choices: object) -> Made:
        by = choices.pop("by", alice_in_acme)
        defaults = {"name": "render farm", "scope": ApiToken.Scope.USE, "lifetime": timedelta(days=30)}
        return make_api_token(by=by, instance=instance, wanted=Wanted(**defaults | choices))

    return make


@pytest.fixture
def signed_in(gateway: Gateway, alice_client: Client, instance: Instance) -> str:
    """Alice's cookie on the engine's host."""
    return gateway.sign_in(alice_client, instance)


@pytest.fixture
def launch(gateway: Gateway, alice_in_acme: Membership, gpu_class: GpuClass, cluster: Cluster) -> Callable[..., Instance]:
    """Launch real engines as alice on this machine, behind the gateway (see driving.launch), and wait until they run."""
    return partial(driving.launch, alice_in_acme, gpu_class)


@pytest.fixture
def open_tab(gateway: Gateway, alice_client: Client) -> Callable[[Instance], Tab]:
    return lambda instance: Tab(gateway, instance, gateway.sign_in(alice_client, instance))
