"""What an operator may set for a local cluster; everything else has a default from the settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engines.clusters.local.layout import Layout


@dataclass(frozen=True)
class LocalConfig:
    """A local cluster's configuration, read from `Cluster.config`."""

    layout: Layout
    ports: Sequence[int]
    python_path: str  # what `{python} -m …` can import: the product itself
    slots: Mapping[str, int] = field(default_factory=dict)  # CPU classes
    gpus: Mapping[str, Sequence[int] | str] = field(default_factory=dict)  # class → indexes, or part of the device's name
    port_quarantine_seconds: float = 600.0


def read_config(slug: str, config: Mapping[str, Any]) -> LocalConfig:
    """Fill in the defaults; Django's settings are read only for what `config` leaves out."""
    return LocalConfig(
        layout=Layout(Path(config["root"] if "root" in config else _default("DATA_DIR") / "clusters" / slug).resolve()),
        ports=_ports(config["ports"]) if "ports" in config else _default("LOCAL_PORTS"),
        python_path=str(config["python_path"] if "python_path" in config else Path(__file__).resolve().parents[3]),
        slots={str(key): int(slots) for key, slots in config.get("slots", {}).items()},
        gpus=dict(config.get("gpus", {})),
        port_quarantine_seconds=float(config.get("port_quarantine_seconds", 600.0)),
    )


def _ports(first_and_last: Sequence[int]) -> Sequence[int]:
    first, last = first_and_last
    return range(int(first), int(last) + 1)


def _default(name: str) -> Any:
    from django.conf import settings  # noqa: PLC0415 - a fully configured cluster needs no Django

    return getattr(settings, name)
