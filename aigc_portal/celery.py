"""The Celery app and the one timetable."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aigc_portal.settings")

app = Celery("aigc_portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

app.conf.beat_schedule = {
    "engines-sweep": {"task": "engines.tasks.sweep", "schedule": 30.0, "options": {"expires": 25}},
    "engines-purge-trash": {"task": "engines.tasks.purge_trash", "schedule": 3600.0, "options": {"expires": 3000}},
    "billing-settle": {"task": "billing.tasks.settle_all", "schedule": 20.0, "options": {"expires": 15}},
}
