"""Ask an engine whether it works, in the way that its version says. Asking is not use: no question passes the gateway."""

import time

from engines.activity.probes import comfyui, command, gradio, http_json, sdwebui
from engines.activity.probes.answer import Answer, Busy, unknown
from engines.activity.probes.http import NoAnswer
from engines.activity.schema import Probe

__all__ = ["NOT_ASKED", "Answer", "Busy", "ask"]

TIMEOUT_SECONDS = 5.0
NOT_ASKED = unknown("none", "this engine has nothing that could be asked")
"""The answer of an engine that by design cannot be asked, as against one that failed to answer."""


def ask(probe: Probe, address: str, *, timeout: float = TIMEOUT_SECONDS) -> Answer:
    """Ask the engine at `host:port` (Instance.upstream); takes `timeout` seconds at most, a command ten. Never raises."""
    try:
        return _asked(probe, address, time.monotonic() + timeout)
    except NoAnswer as problem:
        return unknown(probe.kind, str(problem))


def _asked(probe: Probe, address: str, deadline: float) -> Answer:
    match probe.kind:
        case "comfyui":
            return comfyui.ask(address, deadline=deadline)
        case "sdwebui":
            return sdwebui.ask(address, deadline=deadline)
        case "gradio":
            return gradio.ask(address, deadline=deadline)
        case "http_json":
            return http_json.ask(address, probe.path or "/", probe.busy_if, deadline=deadline)
        case "command":
            return command.ask(probe.command, address)
        case "none":
            return NOT_ASKED
