"""One look at one engine: what it says of itself, and what its processor and GPU do."""

import logging

from engines.activity.families import activity_of, probe_of
from engines.activity.probes import Answer, Busy
from engines.activity.probes import ask as ask_probe
from engines.activity.schema import Probe
from engines.clusters import get_cluster
from engines.clusters.base import ClusterError, ClusterUnavailable, Load
from engines.idle.decision import Look, Said
from engines.models import Instance

log = logging.getLogger(__name__)
CPU_WORKS, GPU_WORKS = 0.25, 0.05
"""From these shares on an engine is taken to work: a web server that waits for a visitor needs a few hundredths of a core."""
_SAID = {Busy.BUSY: Said.BUSY, Busy.FREE: Said.FREE, Busy.UNKNOWN: Said.UNKNOWN}


def probe_for(instance: Instance) -> Probe:
    """How this instance's engine is asked; reads its engine version and engine."""
    version = instance.engine_version
    return probe_of(version.engine.family, version.activity)


def is_mute(instance: Instance) -> bool:
    """Whether nothing of the engine can be asked, by design."""
    return probe_for(instance).kind == "none"


def ask(instance: Instance) -> Look:
    """Ask the engine, straight at its address, and measure it where its own word is not enough; never raises."""
    probe = probe_for(instance)
    answer = ask_probe(probe, instance.upstream)
    said = Said.MUTE if probe.kind == "none" else _SAID[answer.busy]
    is_certain = said == Said.BUSY or (said == Said.FREE and answer.counts_running)
    load = "" if is_certain else load_of(instance)
    version = instance.engine_version
    has_work = bool(activity_of(version.engine.family, version.activity).work)
    return Look(said, evidence_of(answer), all_jobs=answer.counts_running, load=load, has_work=has_work)


def load_of(instance: Instance) -> str | None:
    """Say in words what its processor or GPU does, empty if that is no work; None where it cannot be measured."""
    try:
        load = get_cluster(instance.cluster).load(instance.workload)
    except (ClusterError, ClusterUnavailable) as error:
        log.warning("the load of %s cannot be measured: %s", instance.slug, error)
        return None
    return words_of(load) if load is not None else None


def words_of(load: Load) -> str:
    """The load as evidence; empty if it is none to speak of."""
    words = [f"CPU {load.cpu_share:.0%} of a core"] if load.cpu_share >= CPU_WORKS else []
    if load.gpu_share is not None and load.gpu_share >= GPU_WORKS:
        words.append(f"GPU {load.gpu_share:.0%}")
    return ", ".join(words)


def evidence_of(answer: Answer) -> str:
    """The raw words, for the timeline."""
    return f"{answer.signal}: {answer.evidence}"
