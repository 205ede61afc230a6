"""The Celery app and the one timetable."""

import os
from typing import Any

from celery import Celery
from celery.contrib.django.task import DjangoTask
from celery.schedules import crontab
from django.db import close_old_connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aigc_portal.settings")


class Task(DjangoTask):
    """Begins with a database connection that is known to work, from the pool that the process keeps.

    Left to itself, Celery closes the pool around every task, and building it up again takes longer than most tasks do:
    `CELERY_DB_REUSE_MAX` in the settings tells it not to.
    """

    abstract = True

    def before_start(self, task_id: str, args: object, kwargs: object) -> None:  # noqa: ARG002 - Celery passes them
        close_old_connections()


app = Celery("aigc_portal", task_cls=Task)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def timetable(*, sweep_seconds: float) -> dict[str, dict[str, Any]]:
    """What beat sends, and when. A message that waited for nearly a whole round is dropped: the next one does its work."""
    return {
        "engines-sweep": {
            "task": "engines.tasks.sweep",
            "schedule": sweep_seconds,
            "options": {"expires": sweep_seconds * 5 / 6},
        },
        "engines-measure-volumes": {"task": "engines.tasks.measure_volumes", "schedule": 120.0, "options": {"expires": 100}},
        "engines-look": {"task": "engines.tasks.look_at_all", "schedule": 60.0, "options": {"expires": 50}},
        "engines-pictures": {"task": "engines.tasks.count_pictures", "schedule": 120.0, "options": {"expires": 100}},
        "engines-schedules": {"task": "engines.tasks.fire_schedules", "schedule": 30.0, "options": {"expires": 25}},
        "engines-forget-use": {"task": "engines.tasks.forget_old_use", "schedule": 86400.0, "options": {"expires": 80000}},
        "engines-purge-trash": {"task": "engines.tasks.purge_trash", "schedule": 3600.0, "options": {"expires": 3000}},
        "tenants-deliver": {"task": "tenants.tasks.deliver", "schedule": 15.0, "options": {"expires": 12}},
        "tenants-forget": {"task": "tenants.tasks.forget_notifications", "schedule": 3600.0, "options": {"expires": 3000}},
        "tenants-forget-audit": {"task": "tenants.tasks.forget_audit", "schedule": 86400.0, "options": {"expires": 80000}},
        "tenants-recheck-people": {"task": "tenants.tasks.recheck_people", "schedule": 60.0, "options": {"expires": 50}},
        "tenants-end-due": {"task": "tenants.tasks.end_due_tenants", "schedule": 600.0, "options": {"expires": 500}},
        "tenants-forget-answers": {"task": "tenants.tasks.forget_answers", "schedule": 3600.0, "options": {"expires": 3000}},
        "billing-settle": {"task": "billing.tasks.settle_all", "schedule": 20.0, "options": {"expires": 15}},
        "billing-budgets": {"task": "billing.tasks.look_at_budgets", "schedule": 30.0, "options": {"expires": 25}},
        "billing-capacity": {"task": "billing.tasks.note_capacity", "schedule": 60.0, "options": {"expires": 50}},
        "billing-exports": {"task": "billing.tasks.sweep_exports", "schedule": 60.0, "options": {"expires": 50}},
        "billing-verify": {"task": "billing.tasks.verify", "schedule": crontab(hour=3, minute=40), "options": {"expires": 36000}},
    }
