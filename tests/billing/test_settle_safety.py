"""Settling that is interrupted, killed or run twice at once bills everything once."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection

from billing.models import Charge, Meter, UsageInterval
from billing.operations import settle
from engines.models import Instance
from tests.billing.facts import lines, moment, record

NOW = moment("2026-03-10T13:00:00")
BILL = [("original", 3600, "2.500000000")] * 2 + [("original", 1200, "0.833333333")]


class Interrupted(Exception):
    pass


def with_facts(instance: Instance) -> Instance:
    record(instance, "ready", moment("2026-03-10T10:00:00"))
    record(instance, "ended", moment("2026-03-10T12:20:00"))
    return instance


def books() -> tuple[list[tuple[str, int, str]], int, int]:
    return lines(Charge.objects.all()), UsageInterval.objects.count(), Meter.objects.filter(settled_to__isnull=False).count()


def writes_of(run: Callable[[], object]) -> list[str]:
    """Return every statement that changes something."""
    written: list[str] = []

    def note(execute: Callable[..., Any], sql: str, *args: Any) -> Any:
        if sql.lstrip().startswith(("INSERT", "UPDATE", "DELETE")):
            written.append(sql)
        return execute(sql, *args)

    with connection.execute_wrapper(note):
        run()
    return written


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("survived", range(11))
def test_interrupted_at_any_write_and_tried_again(make_running: Callable[..., Instance], survived: int) -> None:
    instance = with_facts(make_running())
    count = 0

    def interrupt(execute: Callable[..., Any], sql: str, *args: Any) -> Any:
        nonlocal count
        if sql.lstrip().startswith(("INSERT", "UPDATE", "DELETE")):
            count += 1
            if count > survived:
                raise Interrupted
        return execute(sql, *args)

    with connection.execute_wrapper(interrupt), pytest.raises(Interrupted):
        settle(instance.pk, now=NOW)
    assert books() == ([], 0, 0)
    assert settle(instance.pk, now=NOW) == 3
    assert books() == (BILL, 1, 1)


TABLES = [
    *("billing_meter", "billing_usageinterval", "billing_billingaccount", "billing_billingterms"),
    *("billing_billingperiod", "billing_billingaccount"),  # and then the charges, by COPY
    *("billing_dayrollup", "billing_dayrollup", "billing_monthrollup", "billing_monthrollup", "billing_meter"),
]


def test_settling_writes_so_often(instance: Instance) -> None:
    """So that the test above interrupts each."""
    with_facts(instance)
    written = writes_of(lambda: settle(instance.pk, now=NOW))
    assert [re.findall("billing_[a-z]+", sql)[0] for sql in written] == TABLES


@pytest.mark.django_db(transaction=True)
def test_process_killed_between_its_writes(make_running: Callable[..., Instance]) -> None:
    instance = with_facts(make_running())
    test_database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    script = Path(__file__).with_name("settle_and_hang.py")
    environment = os.environ | {
        "DATABASE_URL": urlunsplit(test_database),
        "DJANGO_SETTINGS_MODULE": "aigc_portal.settings",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    with subprocess.Popen(
        [sys.executable, script, str(instance.pk), NOW.isoformat()], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "charges written\n"
        finally:
            process.kill()
    assert books() == ([], 0, 0)
    assert settle(instance.pk, now=NOW) == 3  # waits for the dead one's locks to be gone
    assert books() == (BILL, 1, 1)


@pytest.mark.django_db(transaction=True)
def test_two_at_once_bill_once(make_running: Callable[..., Instance]) -> None:
    instance = make_running()
    record(instance, "ready", moment("2026-03-10T10:00:00"))
    settle(instance.pk, now=moment("2026-03-10T10:01:00"))  # else the first insert of the meter would be lock enough
    with_facts(instance)
    together = threading.Barrier(4)
    posted: list[int] = []

    def work() -> None:
        try:
            together.wait(timeout=20)
            posted.append(settle(instance.pk, now=NOW))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(posted) == [0, 0, 0, 3]
    assert books() == (BILL, 1, 1)
