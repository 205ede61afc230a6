"""What a storm is made of: faults of the API, workers that are killed at any request, watchers that are abandoned."""

import queue
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from billing.operations import settle
from engines import clusters, sweeping
from engines.clusters.base import ClusterUnavailable
from engines.clusters.kubernetes.rest import Rest
from engines.models import Cluster
from engines.reconcile import reconcile, remove_stray
from engines.watching import watch_for_ever
from tests.kubernetes.double import KubernetesDouble

WORKERS = 3
KILL_CHANCE = 0.02
TASKS: dict[str, Callable[[str], object]] = {
    "engines.tasks.reconcile_instance": reconcile,
    "engines.tasks.remove_stray": remove_stray,
    "billing.tasks.settle_instance": lambda pk: settle(UUID(pk), now=timezone.now()),
}


class Killed(BaseException):
    """A worker ends here as by kill -9: nothing of ours catches it."""


class Doom:
    """Kills the worker that sends a request, before or after the server has had it, with a chance."""

    def __init__(self, seed: int) -> None:
        self.dice, self.chance, self.deaths = random.Random(seed), 0.0, 0
        self.is_mortal = threading.local()
        self._send = Rest._send

    def sending(self) -> Callable[..., Any]:
        """What stands in for `Rest._send`."""

        def send(rest: Rest, *args: Any, **options: Any) -> Any:
            fate = self.dice.random() if getattr(self.is_mortal, "yes", False) else 1.0
            if fate < self.chance / 2:
                self._die()
            answer = self._send(rest, *args, **options)
            if fate < self.chance:
                answer.close()
                self._die()
            return answer

        return send

    def _die(self) -> None:
        self.deaths += 1
        raise Killed


class Crew:
    """Workers on one queue of hints, and a sweep every second, as Celery and beat would have them."""

    def __init__(self, doom: Doom) -> None:
        self.doom, self.tasks = doom, queue.Queue[tuple[str, str] | None]()
        self.failures: list[BaseException] = []
        self.busy = 0
        self._over = threading.Event()
        jobs = [self._sweep, *[self._work] * WORKERS]
        self._threads = [threading.Thread(target=self._living, args=[job], daemon=True) for job in jobs]

    def send(self, task: str, instance_id: UUID | str, **_: Any) -> None:
        """What stands in for the broker."""
        self.tasks.put((task, str(instance_id)))

    def start(self) -> None:
        for each in self._threads:
            each.start()

    def end(self) -> None:
        self._over.set()
        for _ in self._threads:
            self.tasks.put(None)
        for each in self._threads:
            each.join()

    def _living(self, job: Callable[[], None]) -> None:
        try:
            job()
        finally:
            connection.close()

    def _work(self) -> None:
        self.doom.is_mortal.yes = True
        while (task := self.tasks.get()) is not None:
            try:
                TASKS[task[0]](task[1])
            except Killed:  # the task is lost, and so is what its process remembered
                connection.close()
                clusters._adapter.cache_clear()
            except ClusterUnavailable:
                pass  # lost as well: the sweep is the guarantee
            except Exception as error:  # noqa: BLE001 - the test shows them all
                self.failures.append(error)

    def _sweep(self) -> None:
        while not self._over.wait(1.0):
            sweeping.sweep()


class Lookout:
    """The process that watches; abandoned and started again now and then."""

    def __init__(self, row: Cluster) -> None:
        self.row = row
        self.start()

    def start(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=watch_for_ever, args=(self.row.pk, self._stop), daemon=True)
        self._thread.start()

    def abandon(self) -> None:
        """What was heard and not yet written down is lost."""
        self._stop.set()

    def end(self) -> None:
        self._stop.set()
        self._thread.join(20)


@contextmanager
def storm(double: KubernetesDouble, kubeconfig: Path, lookout: Lookout, doom: Doom, seed: int) -> Iterator[None]:
    """Trouble of every kind until the block ends."""
    for number, fault in enumerate(weather()):
        double.faults.add(seed=seed * 100 + number, **fault)
    over, dice = threading.Event(), random.Random(-seed - 1)
    blows = [
        double.drop_watches,
        double.finish_watches,
        lambda: (double.compact(), double.drop_watches()),
        double.restart,
        lambda: (double.rotate_token(), over.wait(dice.uniform(0, 0.3)), double.kubeconfig(kubeconfig)),
        lambda: (lookout.abandon(), lookout.start()),
    ]

    def rage() -> None:
        while not over.wait(dice.uniform(0.2, 1.5)):
            dice.choice(blows)()

    thread = threading.Thread(target=rage)
    thread.start()
    doom.chance = KILL_CHANCE
    try:
        yield
    finally:
        over.set()
        thread.join()
        doom.chance = 0.0
        double.faults.clear()
        double.kubeconfig(kubeconfig)


def weather() -> Iterator[dict[str, Any]]:
    """Faults of single calls. Watches have their own: a fault of theirs is a failure to open one."""
    for status in (429, 500, 503):
        yield {"status": status, "probability": 0.02}
    yield {"status": 429, "retry_after": 0.2, "probability": 0.02}
    yield {"drop": True, "probability": 0.02}
    for verb in ("POST", "PATCH", "DELETE"):
        yield {"verb": verb, "status": 409, "probability": 0.02}
        yield {"verb": verb, "status": 500, "after": True, "probability": 0.02}
        yield {"verb": verb, "drop": True, "after": True, "probability": 0.02}


def until_quiet(crew: Crew, *, seconds: float) -> None:
    """Wait until nothing is on its way and nobody has anything to do, for two sweeps on end."""
    deadline, calm = time.monotonic() + seconds, 0
    while calm < 2:
        drifted = list(sweeping.drifted().values_list("slug", "state", "desired_state", "reason"))
        calm = 0 if drifted or not crew.tasks.empty() else calm + 1
        assert time.monotonic() < deadline, drifted
        time.sleep(0.6)


def insist(act: Callable[[], object], *refusals: type[Exception]) -> None:
    """Do what a person may be refused."""
    with suppress(*refusals):
        act()
