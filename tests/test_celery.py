"""What the portal asks of Celery."""

from collections.abc import Iterator

import pytest
from celery.app.task import Task
from celery.fixups.django import DjangoWorkerFixup
from django.db import connection

from aigc_portal.celery import app

pytestmark = pytest.mark.django_db(transaction=True)


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
