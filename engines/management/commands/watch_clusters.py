"""`manage.py watch_clusters`: look at every cluster, for ever."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, InterfaceError, connection

from engines.models import Cluster
from engines.watching import log, watch_for_ever


class Command(BaseCommand):
    help = "Watch every cluster and write down what is seen. Any number may run: one leads per cluster, the others stand by."

    def handle(self, *args: Any, **options: Any) -> None:
        # Whoever leads keeps a connection, and its advisory lock, for as long as it watches: a pool would run out of connections
        # with as many clusters, and hand a lock that was not given back on to whoever comes next.
        connection.settings_dict["OPTIONS"]["pool"] = False
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        watchers: dict[int, threading.Thread] = {}
        while not stop.is_set():
            for cluster_id in _clusters():
                if cluster_id not in watchers:
                    watchers[cluster_id] = threading.Thread(
                        target=watch_for_ever, args=(cluster_id, stop), name=f"watch-{cluster_id}"
                    )
                    watchers[cluster_id].start()
            stop.wait(5)
        for watcher in watchers.values():
            watcher.join()


def _clusters() -> list[int]:
    """The clusters there are now; a database that is away is asked again soon."""
    try:
        return list(Cluster.objects.values_list("pk", flat=True))
    except (DatabaseError, InterfaceError) as error:
        log.warning("the database does not answer: %s", error)
        connection.close()
        return []
