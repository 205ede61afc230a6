"""The engine version: image, port, readiness, words and user of the engine's container."""

from typing import Any

from engines import catalog_schema as schema
from engines.adoption.container import page_port
from engines.adoption.families import recognise, report_family
from engines.adoption.findings import Decider, Fields, misfit
from engines.adoption.naming import version_name
from engines.adoption.network import Exposed
from engines.adoption.probes import read_probes
from engines.adoption.security import read_user
from engines.adoption.start import read_start


def read_version(name: str, pod: Fields, container: Fields, exposed: list[Exposed]) -> tuple[str, dict[str, Any]]:
    """The engine's family, and the version but for what it keeps; what is not said is empty."""
    image = _image(container)
    args, env = read_start(container)
    family = recognise([name, image, container.text("name")])
    report_family(family, args, env, container)
    readiness = read_probes(container, family.health_path)
    words = [*args, *(word for value in env.values() for word in value.split())]
    return family.name, {
        "version": version_name(image),
        "image": image,
        "port": page_port(container, exposed, words=words, probed=readiness.port, guess=family.port),
        "health_path": readiness.health_path,
        "args": args,
        "env": env,
        "startup_limit_seconds": readiness.startup_limit_seconds,
        "runs_as": read_user(pod, container),
        "status": "draft",
    }


def _image(container: Fields) -> str:
    image = container.text("image")
    if not image:
        container.notes.refuse(container.at("image"), "is required")
        return ""
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    if "@" not in image and tag in {"", "latest"}:
        container.notes.note(container.at("image"), "has no tag that stays: choose one, best with its digest", Decider.OPERATOR)
        image = image if tag else f"{image}:latest"
    if wrong := misfit(schema.Image, image):
        container.notes.refuse(container.at("image"), wrong)
    return image
