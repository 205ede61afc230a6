"""People, tenants and places that most tests need. Services (PostgreSQL, Valkey) come from tests/services.py."""

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.utils import translation
from hypothesis import settings
from pytest_django.plugin import DjangoDbBlocker

from engines.clusters import get_cluster
from engines.models import Cluster, EngineVersion, GpuClass, Instance
from tenants.models import Membership, Role, Tenant, User
from tests import factories
from tests.scheduling import ByDirectory

# The same examples in every run, so that a change is refused for what it changes; HYPOTHESIS_PROFILE=default looks for new ones.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByDirectory:
    return ByDirectory(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two for each core: tests of processes and browsers wait for half of their time."""
    return 2 * (os.cpu_count() or 1)


def pytest_collection_finish(session: pytest.Session) -> None:
    """What was loaded and collected lives as long as the run: looking through it again and again takes a tenth of the time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    """A request leaves its language behind in its thread; every test begins in English."""
    with translation.override("en"):
        yield


@pytest.fixture(scope="session", autouse=True)
def end_sessions(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Before the test database is dropped, end sessions that threads of tests took from the pool and died with."""
    yield
    if not str(connection.settings_dict["NAME"]).startswith("test_"):
        return  # no test of this run has asked for a database
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        others = "datname = current_database() AND pid <> pg_backend_pid()"
        cursor.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")


@pytest.fixture
def acme(db: None) -> Tenant:
    return factories.make_tenant("acme", name="Acme Studio")


@pytest.fixture
def bolt(db: None) -> Tenant:
    return factories.make_tenant("bolt", name="Bolt Pictures")


@pytest.fixture
def alice(acme: Tenant) -> User:
    """A member of acme."""
    user = factories.make_user("alice")
    factories.join(user, acme)
    return user


@pytest.fixture
def anna(acme: Tenant) -> User:
    """The owner of acme."""
    user = factories.make_user("anna")
    factories.join(user, acme, Role.OWNER)
    return user


@pytest.fixture
def bob(bolt: Tenant) -> User:
    """A stranger to acme."""
    user = factories.make_user("bob")
    factories.join(user, bolt, Role.OWNER)
    return user


@pytest.fixture
def olga(db: None) -> User:
    """An operator, member of nothing."""
    return factories.make_user("olga", is_staff=True, is_superuser=True)


@pytest.fixture
def alice_in_acme(alice: User) -> Membership:
    return Membership.objects.get(user=alice)


@pytest.fixture
def ask(alice_in_acme: Membership) -> Callable[..., None]:
    """Ask something of an instance as alice, by the operation that a button would call."""

    def run(operation: Callable[..., object], instance: Instance, **choices: object) -> None:
        operation(instance=instance, by=alice_in_acme, **choices)

    return run


@pytest.fixture
def anna_in_acme(anna: User) -> Membership:
    return Membership.objects.get(user=anna)


@pytest.fixture
def bob_in_bolt(bob: User) -> Membership:
    return Membership.objects.get(user=bob)


@pytest.fixture
def gpu_class(db: None) -> GpuClass:
    return factories.make_gpu_class()


@pytest.fixture
def engine_version(db: None) -> EngineVersion:
    return factories.make_engine_version()


@pytest.fixture
def cluster(make_cluster: Callable[..., Cluster]) -> Cluster:
    """A local cluster with four slots of `gpu_class`; whatever it runs ends with the test."""
    return make_cluster()


@pytest.fixture
def make_cluster(db: None, tmp_path: Path) -> Iterator[Callable[..., Cluster]]:
    made: list[Cluster] = []

    def make(**fields: object) -> Cluster:
        made.append(factories.make_cluster(tmp_path / f"cluster-{len(made)}", **fields))
        return made[-1]

    yield make
    for row in made:
        get_cluster(row).shutdown(grace_seconds=0)
