"""What a test holds: the double in a thread of its own, and the buttons for what may befall a cluster."""

import asyncio
import secrets
import tempfile
import threading
from collections.abc import Callable, Collection, Coroutine, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml

from tests.kubernetes.double.api import CONTROLLER
from tests.kubernetes.double.cluster import DEFAULT_NODES, Cluster, Options
from tests.kubernetes.double.misfortunes import Misfortunes
from tests.kubernetes.double.patches import clone, merge_patch
from tests.kubernetes.double.population import Churn, populate
from tests.kubernetes.double.rbac import ADMIN, Rule
from tests.kubernetes.double.resources import BY_PLURAL, Document
from tests.kubernetes.double.server import Call
from tests.kubernetes.double.watches import drop, finish, silence

Result = TypeVar("Result")
PORTAL = "portal"


class KubernetesDouble(Misfortunes):
    """A Kubernetes API server with nodes, on loopback.

    `state` keeps volumes and logs (a temporary directory without it); `nodes` come from `node()`; `rbac` are PolicyRules that
    the user `portal` has, and `bindings=True` gives it what stored roles and bindings say; `images` maps regular expressions of
    images to those of `images.py`; `speed` divides every waiting time that is the cluster's own, never that of an engine;
    `anonymous` names the user of requests without a token; `without` are API groups that nobody installed.
    """

    def __init__(
        self,
        *,
        state: Path | None = None,
        port: int = 0,
        nodes: Sequence[Document] = DEFAULT_NODES,
        rbac: Sequence[Rule] | None = None,
        bindings: bool = False,
        images: dict[str, str] | None = None,
        speed: float = 10,
        token: str = "",
        user: str = PORTAL,
        anonymous: str = "",
        without: Collection[str] = (),
    ) -> None:
        self._own = tempfile.TemporaryDirectory(prefix="k8s-double-") if state is None else None
        self.state = state or Path(self._own.name)  # type: ignore[union-attr]
        self.options = Options(self.state, nodes, rbac, images or {}, speed, bindings, without)
        self.port, self.user, self.anonymous = port, user, anonymous
        self.token, self.admin_token = token or secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self.cluster: Cluster
        self._churns: list[Churn] = []

    # its own life

    def __enter__(self) -> Self:
        ready: threading.Event = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="kubernetes-double", daemon=True)
        self._thread.start()
        ready.wait()
        self.cluster = self._on_loop(self._build)
        self.cluster.server.tokens = {self.token: self.user, self.admin_token: ADMIN, "": self.anonymous}
        self._await(self.cluster.open(self.port))
        self.port = self.cluster.http.port
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close()
        if kind is None and self.cluster.failures:
            raise ExceptionGroup("the double itself failed", self.cluster.failures)

    def close(self) -> None:
        """End every engine, connection and timer."""
        if self._loop is None or self._thread is None:
            return
        for churn in self._churns:
            self._on_loop(churn.stop)
        self._await(self.cluster.close())
        self._await(settle())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = None
        if self._own:
            self._own.cleanup()

    def _run(self, ready: threading.Event) -> None:
        assert self._loop is not None
        asyncio.set_event_loop(self._loop)
        self._loop.call_soon(ready.set)
        self._loop.run_forever()

    def _build(self) -> Cluster:
        return Cluster(self.options)

    def _await(self, work: Coroutine[Any, Any, Result]) -> Result:
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _on_loop(self, act: Callable[..., Result], *args: Any, **options: Any) -> Result:
        async def work() -> Result:
            return act(*args, **options)

        return self._await(work())

    # reaching it

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kubeconfig(self, path: Path, *, admin: bool = False) -> Path:
        """Write a kubeconfig for the portal's user, or for an administrator, and give its path."""
        token = self.admin_token if admin else self.token
        entry = {"cluster": "double", "user": "double"}
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "double", "contexts": [{"name": "double", "context": entry}],
            "clusters": [{"name": "double", "cluster": {"server": self.url}}], "users": [{"name": "double",
            "user": {"token": token}}],
        }  # fmt: skip
        path.write_text(yaml.safe_dump(config))
        path.chmod(0o600)
        return path

    def expire_token(self) -> None:
        """Make the portal's token worthless: 401 from now on."""
        self.cluster.server.tokens.pop(self.token, None)

    def rotate_token(self) -> str:
        """Give the portal a new token; the old one ends."""
        self.expire_token()
        self.token = secrets.token_urlsafe(24)
        self.cluster.server.tokens[self.token] = self.user
        return self.token

    # looking and touching, as an administrator

    def get(self, plural: str, namespace: str, name: str) -> Document | None:
        """Look at one object; None if there is none."""
        found = self._on_loop(self.cluster.store.get, BY_PLURAL[plural], namespace, name)
        return clone(found) if found is not None else None

    def objects(self, plural: str, namespace: str = "") -> list[Document]:
        return clone(self._on_loop(self.cluster.store.all, BY_PLURAL[plural], namespace))

    def load(self, documents: Sequence[Document] | Path) -> None:
        """Create objects, given as documents or as a file of them; what exists is left alone."""
        if isinstance(documents, Path):
            documents = [each for each in yaml.safe_load_all(documents.read_text()) if each]
        self._on_loop(self.cluster.load, documents)

    def merge(self, plural: str, namespace: str, name: str, patch: Document) -> None:
        """Change an object by a merge patch that nothing checks."""
        subresource = "status" if set(patch) == {"status"} else ""
        edit: Callable[[Document], Document] = lambda old: merge_patch(old, patch)  # noqa: E731
        self._on_loop(self.cluster.api.change, BY_PLURAL[plural], namespace, name, edit, CONTROLLER, subresource)

    def delete(self, plural: str, namespace: str, name: str, **options: Any) -> None:
        self._on_loop(self.cluster.api.delete, BY_PLURAL[plural], namespace, name, options)

    # calls and faults

    @property
    def faults(self) -> Any:
        return self.cluster.server.faults

    @property
    def calls(self) -> list[Call]:
        """Every request so far, in order."""
        return self.cluster.server.calls

    def calls_since(self, mark: int, *, user: str = PORTAL) -> list[Call]:
        """Give the portal's requests after the first `mark` of all: `mark = len(double.calls)`."""
        return [call for call in self.calls[mark:] if call.user == user]

    def compact(self) -> None:
        """Forget old versions: a watch from one of them gets 410."""
        self._on_loop(self.cluster.store.compact)

    def gone_as_http(self, on: bool = True) -> None:
        """Answer an old watch with HTTP 410, as some servers do, instead of an ERROR event."""
        self.cluster.watches.gone_as_http = on

    def drop_watches(self, plural: str = "") -> int:
        """Cut open watches without a word; gives how many."""
        return self._on_loop(self.cluster.watches.each, plural, drop)

    def finish_watches(self, plural: str = "") -> int:
        """End open watches in good order."""
        return self._on_loop(self.cluster.watches.each, plural, finish)

    def silence_watches(self, plural: str = "") -> int:
        """Let open watches live on without ever saying anything again."""
        return self._on_loop(self.cluster.watches.each, plural, silence)

    def watches(self, plural: str = "") -> int:
        """Count open watches."""
        return len(self._on_loop(self.cluster.watches.chosen, plural))

    def stop_serving(self) -> None:
        """Take the API server away: connections are cut, dials refused. Nodes go on, as in a cluster."""
        self._await(self.cluster.http.close())

    def serve(self) -> None:
        self._on_loop(self.cluster.http.listen, self.port)

    def restart(self) -> None:
        """Restart the API server; its objects stay."""
        self.stop_serving()
        self.serve()

    # masses

    def populate(self, pods: int = 10_000, namespaces: int = 100) -> None:
        """Put simulated running instances in: StatefulSet, Pod, claim and Service each."""
        self._on_loop(populate, self.cluster.store, pods, namespaces)

    def churn(self, per_second: float = 50) -> Churn:
        """Change statuses of simulated Pods at a rate, until it is stopped."""
        churn = Churn(self.cluster.store, per_second)
        self._on_loop(churn.start)
        self._churns.append(churn)
        return churn

    def stop_churn(self, churn: Churn) -> int:
        """Stop it, and give how many changes it made."""
        self._on_loop(churn.stop)
        return churn.count


async def settle() -> None:
    """Let what was cancelled end, and what began meanwhile, such as a dial that was just being accepted."""
    while True:
        for _ in range(3):  # what was closed is told so in the loop's next rounds
            await asyncio.sleep(0)
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if not others:
            return
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
