"""Everything inside one double, put together: store, API, controllers, nodes, and the HTTP server before them."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.kubernetes.double.api import CONTROLLER, Api
from tests.kubernetes.double.controllers import StatefulSets
from tests.kubernetes.double.garbage import Garbage, LostPods, Namespaces, Quotas
from tests.kubernetes.double.handlers import Handlers
from tests.kubernetes.double.http import HttpServer
from tests.kubernetes.double.kubelet import Kubelet
from tests.kubernetes.double.metrics import MetricsServer
from tests.kubernetes.double.nodes import Nodes, node
from tests.kubernetes.double.proxy import Proxy
from tests.kubernetes.double.rbac import Authorizer, Rule
from tests.kubernetes.double.recorder import Recorder
from tests.kubernetes.double.resources import BY_KIND, NAMESPACES, NODES, STORAGE_CLASSES, Document
from tests.kubernetes.double.scheduler import Scheduler
from tests.kubernetes.double.server import Server
from tests.kubernetes.double.store import Store
from tests.kubernetes.double.volumes import PROVISIONER, Volumes
from tests.kubernetes.double.watches import Watches

DEFAULT_NODES = (node("lab-node", {"nvidia.com/gpu": 4}, {"nvidia.com/gpu.product": "NVIDIA-L40S"}),)
BOOKMARK_SECONDS = 60
QUOTA_SECONDS = 1  # a real controller needs that long to count again
PROVISION_SECONDS = 1


@dataclass
class Options:
    """What a test chooses."""

    state: Path
    nodes: Sequence[Document] = DEFAULT_NODES
    rbac: Sequence[Rule] | None = None
    images: dict[str, str] = field(default_factory=dict)
    speed: float = 10
    bindings: bool = False  # enforce permissions by stored roles alone
    without: Collection[str] = ()  # API groups that nobody installed


class Cluster:
    """Lives on one event loop; nothing here may be called from elsewhere."""

    def __init__(self, options: Options) -> None:
        self.failures: list[Exception] = []
        self.store = Store()
        self.api = Api(self.store)
        self.recorder = Recorder(self.api)
        speed = options.speed
        self.volumes = Volumes(self.api, self.recorder, self.failures, options.state / "volumes", PROVISION_SECONDS / speed)
        self.kubelet = Kubelet(self.api, self.recorder, self.volumes, options.state, options.images, speed)
        self.kubelet.failures = self.failures
        self.nodes = Nodes(self.api, self.kubelet, speed)
        self.stateful_sets = StatefulSets(self.api, self.recorder, self.failures, speed)
        self.scheduler = Scheduler(self.api, self.recorder, self.failures)
        self.proxy = Proxy(self.api, self.failures, self.kubelet.port_of)
        self.garbage = Garbage(self.api, self.failures)
        self.others = (
            Namespaces(self.api, self.failures),
            Quotas(self.api, self.failures, QUOTA_SECONDS / speed),
            LostPods(self.api, self.failures),
        )
        parts = (self.garbage, self.stateful_sets, self.scheduler, self.volumes, self.kubelet, self.proxy, *self.others)
        self.store.listeners = [part.notice for part in parts]
        self.api.on_service = self.proxy.allocate
        self.watches = Watches(self.store, BOOKMARK_SECONDS / speed)
        self.authorizer = Authorizer(self.store, options.rbac, enforced=options.rbac is not None or options.bindings)
        self.handlers = Handlers(self.api, self.watches, self.authorizer)
        self.handlers.logs, self.handlers.evict = self.kubelet.logs, self.nodes.evict
        self.handlers.metrics = MetricsServer(self.kubelet).pod
        self.server = Server(self.api, self.authorizer, self.handlers, options.without)
        self.http = HttpServer(self.server.handle)
        self.bookmarks: asyncio.Task[None] | None = None
        self.furnish(options)

    def furnish(self, options: Options) -> None:
        """Put in what every cluster has."""
        for name in ("default", "kube-system", "kube-public", "kube-node-lease"):
            self.api.create(NAMESPACES, "", {"kind": "Namespace", "metadata": {"name": name}}, CONTROLLER)
        for each in options.nodes:
            self.api.create(NODES, "", each, CONTROLLER)
        annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
        standard = {
            "kind": "StorageClass",
            "metadata": {"name": "standard", "annotations": annotations},
            "provisioner": PROVISIONER,
        }
        self.api.create(
            STORAGE_CLASSES,
            "",
            {**standard, "volumeBindingMode": "WaitForFirstConsumer", "allowVolumeExpansion": True},
            CONTROLLER,
        )

    def load(self, documents: Sequence[Document]) -> None:
        """Create objects as an administrator would; what is there already is left as it is."""
        for document in documents:
            resource = BY_KIND[document["apiVersion"], document["kind"]]
            namespace = document["metadata"].get("namespace", "default") if resource.namespaced else ""
            if self.store.get(resource, namespace, document["metadata"]["name"]) is None:
                self.api.create(resource, namespace, document, CONTROLLER)

    async def open(self, port: int) -> None:
        self.http.listen(port)
        self.bookmarks = asyncio.ensure_future(self.watches.send_bookmarks())

    async def close(self) -> None:
        await self.http.close()
        if self.bookmarks:
            self.bookmarks.cancel()
        queues = [self.garbage.ended, self.garbage.ending, self.stateful_sets.queue, self.scheduler.queue, self.volumes.queue]
        for queue in [*queues, *(other.queue for other in self.others)]:
            queue.close()
        self.nodes.close()
        await self.proxy.close()
        await self.kubelet.close()
