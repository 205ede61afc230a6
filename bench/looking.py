"""`python -m bench.looking COUNT`: the minute's look of idle release at many running engines, in a database of its own.

Beside the product, with its settings but another database, so that nothing else looks at engines that are rows alone. Prints one
line of JSON: milliseconds of each look, and of each floor.
"""

import json
import sys
import time
from collections.abc import Callable
from datetime import timedelta

import django

django.setup()

from django.core.management import call_command  # noqa: E402 - after setup
from django.db import connection, transaction  # noqa: E402 - after setup
from django.utils import timezone  # noqa: E402 - after setup

from engines.models import Instance, Use, Volume  # noqa: E402 - after setup
from engines.release import looking  # noqa: E402 - after setup
from tests import factories  # noqa: E402 - after setup

ROUNDS = 7


def populate(running: int) -> None:
    """Running engines that were used just now: none is due, so none is asked, and what is measured is the portal's own work."""
    tenant, owner = factories.make_tenant("acme"), factories.make_user("alice")
    cluster, ready_at = factories.make_cluster("/nonexistent"), timezone.now() - timedelta(hours=1)
    version, gpu_class = factories.make_engine_version(), factories.make_gpu_class()
    volumes = Volume.objects.bulk_create(
        [Volume(tenant=tenant, owner=owner, cluster=cluster, name=f"volume {number}") for number in range(running)]
    )
    instances = Instance.objects.bulk_create(
        [
            Instance(
                tenant=tenant, owner=owner, name=volume.name, engine_version=version, gpu_class=gpu_class, cluster=cluster,
                volume=volume, state="running", run_id=f"run-{volume.pk}", upstream="127.0.0.1:9", ready_at=ready_at,
            )
            for volume in volumes
        ]
    )  # fmt: skip
    Use.objects.bulk_create([Use(instance=instance, run_id=instance.run_id) for instance in instances])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def look() -> None:
    """One look at all of them, a moment after somebody used each."""
    looking.look_at_all()


def floor() -> None:
    """One statement that writes the same columns of the same rows."""
    now = timezone.now()
    moments = dict.fromkeys(("user_at", "api_at", "stream_at", "busy_since", "unknown_since", "due_at", "looked_at"), now)
    with transaction.atomic():
        Use.objects.update(**moments, free_looks=0, why="used", evidence="")


def use_all() -> None:
    """Let everybody use their engine: what a look finds is never what it wrote last."""
    now = timezone.now()
    Use.objects.update(user_at=now, why="used", due_at=now + timedelta(minutes=20))


def milliseconds(act: Callable[[], None]) -> float:
    use_all()
    began = time.monotonic()
    act()
    return (time.monotonic() - began) * 1000


def main() -> None:
    call_command("migrate", interactive=False, verbosity=0)
    populate(int(sys.argv[1]))
    samples = [(milliseconds(look), milliseconds(floor)) for _ in range(ROUNDS + 1)][1:]  # the first warms caches
    print(json.dumps({"look": [each[0] for each in samples], "floor": [each[1] for each in samples]}), flush=True)


if __name__ == "__main__":
    main()
