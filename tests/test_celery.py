"""What the portal asks of Celery."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from celery.app.task import Task
from celery.fixups.django import DjangoWorkerFixup
from django.db import connection

from aigc_portal.celery import app
from aigc_portal.demo import programs

pytestmark = pytest.mark.django_db(transaction=True)
MANIFESTS = Path(__file__).parents[1] / "deploy" / "kubernetes" / "portal.yaml"


def backend() -> int:
    """The database's own number of this thread's connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


@pytest.fixture
def task() -> Iterator[Task]:
    """A task that asks the database."""
    yield app.task(backend, name="tests.backend")
    del app.tasks["tests.backend"]


def test_a_worker_keeps_its_database_pool_from_task_to_task(task, monkeypatch):
    fixup = DjangoWorkerFixup(app)
    monkeypatch.setattr(fixup, "_is_prefork", lambda: True)
    backend()
    pool = connection.pool
    fixup.on_task_prerun(task)
    task.apply()
    fixup.on_task_postrun(task)
    assert connection.pool is pool
    assert not pool.closed


def test_a_task_begins_with_a_connection_that_works(task):
    lost = backend()
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [lost])
    other.close()
    assert task.apply().get() != lost


def of_the_demo() -> list[list[str]]:
    return [list(program.command) for program in programs()]


def of_the_manifests() -> list[list[str]]:
    deployments = [each for each in yaml.safe_load(MANIFESTS.read_text())["items"] if each["kind"] == "Deployment"]
    return [container["command"] for each in deployments for container in each["spec"]["template"]["spec"]["containers"]]


@pytest.mark.parametrize("commands", [of_the_demo, of_the_manifests])
def test_every_task_has_a_worker_and_deliveries_have_one_of_their_own(commands):
    served = [set(command[command.index("--queues") + 1].split(",")) for command in commands() if "--queues" in command]
    assert served == [{"provision", "billing", "default"}, {"deliveries"}]
    app.loader.import_default_modules()
    queues = {name: app.amqp.router.route({}, name)["queue"].name for name in app.tasks if not name.startswith("celery.")}
    assert set(queues.values()) == set.union(*served)
    assert [name for name, queue in queues.items() if queue == "deliveries"] == ["tenants.tasks.deliver"]
