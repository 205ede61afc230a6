"""A catalog of engines that misbehave, on a cluster of its own. Some behave again once `mended/<version>` exists."""

import json
from pathlib import Path

ENGINE = "strange"
WIDE, NARROW, TINY = "wide", "narrow", "tiny"
STARTUP_LIMIT_SECONDS = 60
_LOOM = "-m engines.demo_engine --version 2 --host 127.0.0.1 --port {port} --data-dir {data}"
_FAULTS = {
    "steady": "",
    "slow": "--start-delay 6",
    "stubborn": "--ignore-sigterm",
}


def write_catalog(directory: Path) -> Path:
    """Write the catalog file, with what mends an engine below the same directory."""
    (directory / "mended").mkdir(parents=True)
    path = directory / "strange.yaml"
    catalog = {"clusters": _clusters(), "gpu_classes": _gpu_classes(), "engines": [_engine(directory)]}
    path.write_text(json.dumps(catalog))  # JSON is YAML, and repeats nothing by alias
    return path


def mend(directory: Path, version: str) -> None:
    """Take the cause of a version's failure away."""
    place = directory / "mended" / version
    place.write_text('#!/bin/sh\nexec "$@"\n')
    place.chmod(0o755)


def _clusters() -> list[dict[str, object]]:
    slots = {WIDE: 20, NARROW: 1}
    return [
        {
            "slug": "chaos",
            "name": "Chaos",
            "kind": "local",
            "slots": [{"gpu_class": name, "slots": number} for name, number in slots.items()],
        },
        {"slug": "small-disk", "name": "Small disk", "kind": "local", "slots": [{"gpu_class": TINY, "slots": 1}]},
    ]


def _gpu_classes() -> list[dict[str, object]]:
    about = {"vendor": "cpu", "cpu_millis": 1000, "ram_mib": 512, "currency": "USD", "discover": {"by": "slots"}}
    classes = {WIDE: "3.60", NARROW: "7.20", TINY: "0.36"}
    return [
        {"slug": name, "name": name.title(), "summary": "For tests.", "price_per_hour": price, **about}
        for name, price in classes.items()
    ]


def _engine(directory: Path) -> dict[str, object]:
    python_loom = "{python} " + _LOOM
    versions = [_version(name, [*python_loom.split(), *faults.split()]) for name, faults in _FAULTS.items()]
    mended = directory / "mended"
    versions += [
        _version("quits", _shell(f"test -e {mended}/quits || exit 7; exec {python_loom}")),
        _version("deaf", _shell(f"test -e {mended}/deaf || exec sleep 3600; exec {python_loom}"), startup_limit_seconds=5),
        _version("absent", [f"{mended}/absent", *python_loom.split()]),
    ]
    return {
        "slug": ENGINE,
        "name": "Strange",
        "summary": "Misbehaves as its version says.",
        "family": "sd-webui",
        "mark": {"glyph": "St", "colour": "#6d5bd0"},
        "versions": versions,
    }


def _shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def _version(name: str, command: list[str], startup_limit_seconds: int = STARTUP_LIMIT_SECONDS) -> dict[str, object]:
    return {
        "version": name,
        "command": command,
        "health_path": "/healthz",
        "startup_limit_seconds": startup_limit_seconds,
        "status": "published",
    }
