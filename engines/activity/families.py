"""What is known of each family of engines, where a catalog does not say otherwise. Pure.

Paths are those of the engines' own sources: ComfyUI server.py, AUTOMATIC1111 modules/api/api.py and modules/progress.py,
Gradio gradio/routes.py of 3.41, 4.44 and 5.49. docs/guides/activity.md tells what each family can and cannot say.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from engines.activity.schema import Activity, Probe

_GRADIO_POLL = (
    r"^/(gradio_api/)?(heartbeat|queue/status|startup-events|config|info|theme\.css)\b",
    r"^/(socket\.io|ws)\b",
)
# Gradio 3 opens a WebSocket per click, later ones a stream while events are pending; without a queue the request itself waits.
_GRADIO_WORK = (
    r"^/queue/join\b",
    r"^/(gradio_api/)?queue/data\b",
    r"^/(gradio_api/)?call/",
    r"POST ^/(gradio_api/)?(run|api)/",
)

FAMILIES: Mapping[str, Activity] = {
    "comfyui": Activity(
        probe=Probe(kind="comfyui"),
        poll=(r"^/(api/)?(queue|prompt|history|jobs|system_stats|ws)\b", r"^/internal/logs\b"),
    ),
    "sd-webui": Activity(
        probe=Probe(kind="sdwebui"),
        poll=(
            *_GRADIO_POLL,
            r"^/internal/(ping|pending-tasks|progress)\b",
            r"POST ^/internal/progress\b",
            r"^/sdapi/v1/(progress|memory|log|status)\b",
        ),
        work=(r"^/queue/join\b", r"^/queue/data\b", r"POST ^/sdapi/v1/(txt2img|img2img)\b"),
    ),
    "gradio": Activity(probe=Probe(kind="gradio"), poll=_GRADIO_POLL, work=_GRADIO_WORK),
    "http": Activity(
        probe=Probe(kind="none"),
        poll=(r"^/(ws/)?socket\.io/", r"POST ^/(ws/)?socket\.io/", r"^/(api/)?(health|healthz|ping|status|ws)\b"),
    ),
}


def activity_of(family: str, given: Mapping[str, Any]) -> Activity:
    """What an engine version says of itself (`EngineVersion.activity`, valid), completed by its family; nothing is left None."""
    return _completed(family, json.dumps(given, sort_keys=True))


def probe_of(family: str, given: Mapping[str, Any]) -> Probe:
    """How an engine version is asked whether it works."""
    return activity_of(family, given).probe or Probe(kind="none")


@lru_cache(maxsize=512)
def _completed(family: str, given: str) -> Activity:
    usual = FAMILIES.get(family, FAMILIES["http"])
    own = Activity.model_validate_json(given)
    return Activity(
        probe=own.probe or usual.probe,
        poll=usual.poll or () if own.poll is None else own.poll,
        work=usual.work or () if own.work is None else own.work,
        websocket_is_user=bool(usual.websocket_is_user if own.websocket_is_user is None else own.websocket_is_user),
    )
