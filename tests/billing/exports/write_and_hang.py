"""A worker that stops when its file is named, before the job says so; killed by test_jobs."""

import sys
import time
from typing import Any

import django
import time_machine

django.setup()

from billing.exports import jobs  # noqa: E402 - needs the settings
from billing.models import ExportJob  # noqa: E402

tell = jobs._tell


def hang_before_the_last_word(job: ExportJob, **fields: Any) -> None:
    if fields.get("state") == ExportJob.State.DONE:
        sys.stdout.write("named\n")
        sys.stdout.flush()
        time.sleep(600)
    tell(job, **fields)


jobs._tell = hang_before_the_last_word
with time_machine.travel(ExportJob.objects.get(pk=int(sys.argv[1])).created_at, tick=False):
    jobs.run(int(sys.argv[1]))
