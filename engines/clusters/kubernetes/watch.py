"""The cluster's streams, put together: what each workload is, told when it changes and only then."""

import queue
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from engines.clusters.base import ClusterUnavailable, Observation, Phase, WorkloadRef
from engines.clusters.kubernetes import paths
from engines.clusters.kubernetes.causes import EVENTS
from engines.clusters.kubernetes.config import KubernetesConfig
from engines.clusters.kubernetes.files import make_way
from engines.clusters.kubernetes.informer import Change, Feed, Key, Kind, Pace, Snapshot
from engines.clusters.kubernetes.labels import MANAGED_BY, MANAGER, SERVICE_IP
from engines.clusters.kubernetes.looks import OUR_ENGINES, settings_of
from engines.clusters.kubernetes.memory import Memory
from engines.clusters.kubernetes.objects import Json, annotation, text
from engines.clusters.kubernetes.observe import observe
from engines.clusters.kubernetes.pruning import prune
from engines.clusters.kubernetes.rest import Rest
from engines.clusters.kubernetes.seen import Seen
from engines.clusters.kubernetes.world import CLAIM, EVENT, NODE, POD, STATEFUL_SET, World
from engines.reasons import Reason

_EVER = datetime.min.replace(tzinfo=UTC)
_SILENCE_SECONDS = 0.5
_PREFIXES = {POD: "i-", STATEFUL_SET: "i-", CLAIM: "v-"}  # see engines.clusters.names
_LOST_AFTER_SECONDS = 45.0  # longer than a stream may be quiet before it is opened anew


def _our_event(raw: Json) -> Json | None:
    """Events carry no labels: those about anything else are dropped as they come."""
    kind, name = text(raw, "involvedObject", "kind"), text(raw, "involvedObject", "name")
    return prune(EVENT, raw) if name[:2] == _PREFIXES.get(kind) and raw.get("reason") in EVENTS else None


KINDS = (
    Kind(STATEFUL_SET, paths.collection("statefulsets"), partial(prune, STATEFUL_SET), {"labelSelector": OUR_ENGINES}),
    Kind(POD, paths.collection("pods"), partial(prune, POD), {"labelSelector": OUR_ENGINES}),
    Kind(CLAIM, paths.collection("persistentvolumeclaims"), partial(prune, CLAIM), {"labelSelector": f"{MANAGED_BY}={MANAGER}"}),
    Kind(EVENT, paths.collection("events"), _our_event),
    Kind(NODE, paths.collection("nodes"), partial(prune, NODE)),
)


class Watcher:
    """One watch: what is known of the cluster, and what was last said of each workload."""

    def __init__(self, rest: Rest, config: KubernetesConfig, pace: Pace = Pace()) -> None:  # noqa: B008
        """Ask nothing yet."""
        self._rest, self._settings = rest, settings_of(config)
        # Its own: streams lag behind the looks of others, and what those saw alive would seem to have ended in between.
        self._memory = Memory()
        self._heard: queue.Queue[Snapshot | Change] = queue.Queue(maxsize=10_000)
        self._feeds = [Feed(rest, kind, self._heard, pace) for kind in KINDS]
        self._missing = {kind.name for kind in KINDS}  # of which no list has come yet
        self._world = World()
        self._said: dict[Key, Observation] = {}  # without their moments

    def run(self) -> Iterator[Observation | None]:
        """Yield the state of all once every kind was listed, then changes, for ever; None in half a second of silence.

        ClusterUnavailable once a kind has not been heard of for three quarters of a minute, so that nobody trusts what is old.
        """
        began = time.monotonic()
        for feed in self._feeds:
            feed.start()
        try:
            while True:
                touched = self._listen()
                self._require_contact(began)
                told = False
                for seen in self._changed(touched):
                    told = True
                    yield seen
                if not told:
                    yield None
        finally:
            for feed in self._feeds:
                feed.stop()

    def _listen(self) -> set[Key]:
        """Take in everything that has come, waiting for the first a moment; returns the workloads that it is about."""
        touched: set[Key] = set()
        deadline = time.monotonic() + _SILENCE_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            try:
                heard = self._heard.get(timeout=0 if touched else left)
            except queue.Empty:
                break
            touched |= self._world.hear(heard)
            if isinstance(heard, Snapshot) and heard.kind in self._missing:
                self._missing.discard(heard.kind)
                if not self._missing:
                    return self._world.workloads
        return set() if self._missing else touched

    def _require_contact(self, began: float) -> None:
        now = time.monotonic()
        for feed in self._feeds:
            if now - max(feed.heard_at, began) > _LOST_AFTER_SECONDS:
                raise ClusterUnavailable(f"nothing was heard of {feed.kind.name} objects for {_LOST_AFTER_SECONDS:.0f} s")

    def _changed(self, touched: set[Key]) -> Iterator[Observation]:
        for workload in touched:
            seen = self._look(workload)
            said = replace(seen, observed_at=_EVER)
            if self._said.get(workload) != said and not (seen.phase == Phase.GONE and self._is_news_to_nobody(workload)):
                self._said[workload] = said
                yield seen
            if seen.reason == Reason.VOLUME_IN_USE:
                make_way(self._rest, workload[0], text(self._world.claim(workload), "metadata", "name"))
            self._tidy(workload, seen)

    def _is_news_to_nobody(self, workload: Key) -> bool:
        """Gone, and never said to have been there."""
        return workload not in self._said and self._world.statefulset(workload) is None

    def _look(self, workload: Key) -> Observation:
        world, (namespace, name) = self._world, workload
        stateful_set = world.statefulset(workload)
        seen = Seen(
            name,
            namespace,
            stateful_set,
            world.pods(workload),
            gone=world.gone(workload),
            claim=world.claim(workload),
            events=world.events(workload),
            node=world.node(workload),
            service_ip=annotation(stateful_set, SERVICE_IP),
            settings=self._settings,
        )
        return self._memory.hear(WorkloadRef(name, namespace), observe(seen, now=datetime.now(UTC)))

    def _tidy(self, workload: Key, seen: Observation) -> None:
        """Keep little of what is settled: events are most of what is heard."""
        if seen.phase == Phase.READY:
            self._world.forget_events(workload)
        elif seen.phase == Phase.GONE and self._world.statefulset(workload) is None:
            self._world.forget(workload)
            self._said.pop(workload, None)
