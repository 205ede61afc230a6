"""When an engine counts as ready: the path of a probe, and how long a start may take."""

from dataclasses import dataclass

from engines.adoption.findings import Decider, Fields, Reasons, misfit
from engines.adoption.quantities import port
from engines.catalog_entry import HttpPath

_ORDER = ("startupProbe", "readinessProbe", "livenessProbe")
_BY_HTTP = ("is not asked; the portal asks by HTTP", Decider.OPERATOR)
_QUESTIONS: Reasons = {"exec": _BY_HTTP, "grpc": _BY_HTTP}
_RHYTHM = ("initialDelaySeconds", "periodSeconds", "failureThreshold", "timeoutSeconds", "successThreshold")
_REQUEST: Reasons = {
    "scheme": ("the portal and its gateway speak plain HTTP to engines", Decider.IMAGE),
    "host": ("the portal asks the engine itself", Decider.NOBODY),
    "httpHeaders": ("the portal asks without headers of its own", Decider.IMAGE),
}
_FAILURES, _PERIOD_SECONDS = 3, 10  # of Kubernetes, where a probe does not say
_SHORTEST_SECONDS, _LONGEST_SECONDS = 5, 7200  # of the catalog


@dataclass(frozen=True)
class Readiness:
    """The catalog's `health_path` and `startup_limit_seconds` (0 if unsaid), and a port that a probe names (0 if none)."""

    health_path: str
    startup_limit_seconds: int = 0
    port: int = 0


def read_probes(container: Fields, guess: str) -> Readiness:
    """Take the path of the first probe that asks by HTTP; `guess` is the path to try where none does."""
    probes = {name: container.mapping(name) for name in _ORDER}
    limit = _startup_limit(probes["startupProbe"])
    path, number = "", 0
    for name, probe in probes.items():
        asked, opened = probe.mapping("httpGet"), probe.mapping("tcpSocket")
        # All three are read in any case, so that none is reported as unknown.
        asked_path, asked_port, opened_port = _path(asked), _number(asked, container), _number(opened, container)
        path, number = path or asked_path, number or asked_port or opened_port
        asked.report_rest(_REQUEST, defaults={"scheme": "HTTP"})
        opened.report_rest(_REQUEST)
        _report(name, probe)
    if not path:
        text = f"no probe asks by HTTP, but the portal needs a path that answers 200 once the engine is ready; {guess} is a guess"
        container.notes.note(container.at("readinessProbe"), text, Decider.OPERATOR)
    return Readiness(path or guess, limit, number)


def _path(asked: Fields) -> str:
    path = asked.text("path")
    if path and (wrong := misfit(HttpPath, path)):
        asked.notes.note(asked.at("path"), f"“{path}” is not carried over: {wrong}", Decider.OPERATOR)
        return ""
    return path


def _number(asked: Fields, container: Fields) -> int:
    """A port by its number, or by the name that the container gives it."""
    named = asked.take("port")
    ports = (each.get("containerPort") for each in container.peek_mappings("ports") if each.get("name") == named)
    return port(named) or port(next(ports, 0))


def _startup_limit(probe: Fields) -> int:
    said = [probe.take(name) for name in ("initialDelaySeconds", "periodSeconds", "failureThreshold")]
    delay, period, failures = (each if isinstance(each, int) else None for each in said)
    if not probe:
        return 0
    seconds = (delay or 0) + (period or _PERIOD_SECONDS) * (failures or _FAILURES)
    return max(_SHORTEST_SECONDS, min(seconds, _LONGEST_SECONDS))


def _report(name: str, probe: Fields) -> None:
    """Say once what becomes of a probe; its rhythm is the portal's own."""
    rhythm = [probe.peek(key) for key in _RHYTHM if probe.take(key)]
    if name == "livenessProbe" and probe:
        probe.notes.note(probe.path, "an engine that is busy is not killed for answering late")
    elif name == "readinessProbe" and rhythm:
        probe.notes.note(probe.path, "how often is asked is the portal's own; only the path is carried over")
    probe.report_rest(_QUESTIONS)
