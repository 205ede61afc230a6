"""Where a cluster's API is and how the portal proves itself there: as a kubeconfig says, or as a Pod of the cluster."""

from collections.abc import Callable
from pathlib import Path

import urllib3
import yaml
from kubernetes.client import ApiClient, Configuration
from kubernetes.config import (
    ConfigException,
    load_incluster_config,
    load_kube_config,
    load_kube_config_from_dict,
)

from engines.clusters.kubernetes.config import KubernetesConfig

# Threads that may ask at the same time without opening connections anew: a worker's, or a watcher's streams.
_CONNECTIONS = 16


# A kept connection that the server has closed meanwhile is worth one more try; everything else is the caller's to repeat.
_ONE_MORE_TRY = urllib3.Retry(
    total=1, redirect=0, status=0, other=0, allowed_methods=frozenset({"GET"}), respect_retry_after_header=False
)


def connector(config: KubernetesConfig) -> Callable[[], ApiClient]:
    """Return what makes a client with credentials read anew each time; it raises ConfigException or OSError if it cannot."""

    def connect() -> ApiClient:
        settings = Configuration()
        settings.connection_pool_maxsize = _CONNECTIONS
        settings.retries = _ONE_MORE_TRY
        if config.kubeconfig_content:
            content = _parsed(config.kubeconfig_content)
            load_kube_config_from_dict(content, context=config.context or None, client_configuration=settings)
        elif config.in_cluster:
            load_incluster_config(client_configuration=settings)
        else:
            _require_file(config.kubeconfig)
            load_kube_config(
                config_file=config.kubeconfig or None,
                context=config.context or None,
                client_configuration=settings,
                persist_config=False,
            )
        return ApiClient(configuration=settings)

    return connect


def _require_file(path: str) -> None:
    """Name the file that is missing, which the client does not."""
    if path and not Path(path).expanduser().is_file():
        raise ConfigException(f"there is no kubeconfig {path}")


def _parsed(content: str) -> dict[str, object]:
    try:
        parsed = yaml.safe_load(content)
    except yaml.YAMLError as error:
        raise ConfigException("the stored kubeconfig is no YAML") from error
    if not isinstance(parsed, dict):
        raise ConfigException("the stored kubeconfig is no mapping")
    return parsed
