"""A settling that stops between its writes and says so; killed by test_settle_safety."""

import sys
import time
import uuid
from collections.abc import Callable
from typing import Any

import django

django.setup()

from django.db import connection  # noqa: E402 - needs the settings

from billing.operations import settle  # noqa: E402
from tests.billing.facts import moment  # noqa: E402


def hang_after_charges(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    result = execute(sql, params, many, context)
    if sql.startswith("DELETE FROM billing_dayrollup"):  # the charges are written, by COPY
        sys.stdout.write("charges written\n")
        sys.stdout.flush()
        time.sleep(600)
    return result


with connection.execute_wrapper(hang_after_charges):
    settle(uuid.UUID(sys.argv[1]), now=moment(sys.argv[2]))
