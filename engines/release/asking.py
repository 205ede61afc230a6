"""One look at one engine: what it says of itself, and what its processor and GPU do."""

from engines.activity.families import probe_of
from engines.activity.probes import Answer, Busy
from engines.activity.probes import ask as ask_probe
from engines.activity.schema import Probe
from engines.idle.decision import Look, Said
from engines.models import Instance

_SAID = {Busy.BUSY: Said.BUSY, Busy.FREE: Said.FREE, Busy.UNKNOWN: Said.UNKNOWN}


def probe_for(instance: Instance) -> Probe:
    """How this instance's engine is asked; reads its engine version and engine."""
    version = instance.engine_version
    return probe_of(version.engine.family, version.activity)


def is_mute(instance: Instance) -> bool:
    """Whether nothing of the engine can be asked, by design."""
    return probe_for(instance).kind == "none"


def ask(instance: Instance) -> Look:
    """Ask the engine, straight at its address; never raises, takes some seconds at most."""
    probe = probe_for(instance)
    answer = ask_probe(probe, instance.upstream)
    said = Said.MUTE if probe.kind == "none" else _SAID[answer.busy]
    return Look(said, evidence_of(answer), all_jobs=answer.counts_running)


def evidence_of(answer: Answer) -> str:
    """The raw words, for the timeline."""
    return f"{answer.signal}: {answer.evidence}"
