"""A tenant's namespace and the rules in it, made before the first thing that needs them."""

import hashlib
import json
import threading
import time
from collections.abc import Callable
from typing import Any

from engines.clusters.kubernetes import manifests, paths
from engines.clusters.kubernetes.config import KubernetesConfig
from engines.clusters.kubernetes.labels import OURS
from engines.clusters.kubernetes.rest import ApiError, Rest

PREPARED = f"{OURS}prepared"
_TRUSTED_SECONDS = 3600.0


class Namespaces:
    """Knows which namespaces are as they should be; what this process does not know yet, the namespace itself says.

    Neither would notice a rule that somebody took away: what was prepared an hour ago is applied again, so that it comes back.
    """

    def __init__(self, rest: Rest, config: KubernetesConfig) -> None:
        """Know none."""
        self._rest, self._config = rest, config
        self._prepared: dict[str, float] = {}  # when, by the monotonic clock
        self._lock = threading.Lock()

    def within(self, namespace: str, tenant: str, act: Callable[[], object]) -> None:
        """Act once the namespace is prepared; prepare it again, once, if it turns out to be gone."""
        prepared_at = self._prepared.get(namespace)
        is_old = prepared_at is not None and time.monotonic() - prepared_at > _TRUSTED_SECONDS
        if prepared_at is None or is_old:
            self.prepare(namespace, tenant, anew=is_old)
        try:
            act()
        except ApiError as error:
            if error.status != 404 or "namespaces" not in error.message:
                raise
            self.prepare(namespace, tenant)
            act()

    def prepare(self, namespace: str, tenant: str, *, anew: bool = False) -> None:
        """Make the namespace what the configuration says, `anew` if it says itself that it is; last of all, write that on it."""
        documents = manifests.tenant_objects(self._config, tenant, namespace)
        wanted = hashlib.sha256(json.dumps(documents, sort_keys=True).encode()).hexdigest()[:32]
        with self._lock:
            present = self._rest.find(paths.member("namespaces", "", namespace))
            if anew or _said(present) != wanted:
                for document in documents:
                    self._rest.apply(paths.home(document), document)
                self._rest.merge(paths.member("namespaces", "", namespace), {"metadata": {"annotations": {PREPARED: wanted}}})
            self._prepared[namespace] = time.monotonic()


def _said(namespace: dict[str, Any] | None) -> str:
    return str(((namespace or {}).get("metadata", {}).get("annotations") or {}).get(PREPARED, ""))
