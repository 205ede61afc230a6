"""What the portal asks of Celery."""

from celery.fixups.django import DjangoWorkerFixup
from django.db import connection

from aigc_portal.celery import app


def test_a_worker_keeps_its_database_pool_from_task_to_task(transactional_db, monkeypatch):
    fixup = DjangoWorkerFixup(app)
    monkeypatch.setattr(fixup, "_is_prefork", lambda: True)
    connection.ensure_connection()
    pool = connection.pool

    @app.task(name="tests.ask_and_forget")
    def ask() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    fixup.on_task_prerun(ask)
    ask.apply()
    fixup.on_task_postrun(ask)
    assert connection.pool is pool
    assert not pool.closed


def test_a_task_begins_with_a_connection_that_works(transactional_db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        lost = cursor.fetchone()[0]
    with connection.copy().cursor() as other:
        other.execute("SELECT pg_terminate_backend(%s)", [lost])

    @app.task(name="tests.ask_who")
    def ask() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return cursor.fetchone()[0]

    assert ask.apply().get() != lost
