"""From a spec to a running process: the command line, its environment, and the recorder that outlives us."""

import os
import re
import shutil
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engines.clusters.base import ClusterError, WorkloadSpec
from engines.clusters.local.config import LocalConfig
from engines.clusters.local.processes import RUN_MARK, Identity, identify
from engines.reasons import Reason

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")

# Runs the engine and notes its exit code, whether or not anybody watches: no Python, and alive as long as the engine.
# Its input is the workload's lock, let go only here: until then nobody can look for this process and miss it.
# It survives what is sent to the whole session (the engine does not inherit that) and writes into a file that has room already.
_RECORDER = """\
exec </dev/null
trap : HUP INT QUIT TERM
cd "$1" && unset OLDPWD && shift && "$@"
printf '%-4s' "$?" 1<>"$0"
"""
EXIT_CODE_ROOM = b"    "


@dataclass(frozen=True)
class Plan:
    """What is going to be executed."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]


def uses(spec: WorkloadSpec, placeholder: str) -> bool:
    """Tell whether the spec has this placeholder anywhere."""
    return any(f"{{{placeholder}}}" in text for text in (*spec.command, *spec.args, *spec.environment.values()))


def make_plan(spec: WorkloadSpec, config: LocalConfig, *, run_id: str, port: int, devices: tuple[str, ...]) -> Plan:
    """Work out command line and environment; ClusterError(START_REFUSED) for what cannot be executed."""
    layout = config.layout
    values = {"port": str(port), "data": str(layout.volume(spec.volume)), "python": sys.executable}
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": values["data"],
        "LANG": "C.UTF-8",
        "TMPDIR": str(layout.scratch(spec.name)),
        "PYTHONUNBUFFERED": "1",  # a log that is followed must not wait in a buffer
        **_visible_gpus(spec, devices),
        **({"PYTHONPATH": config.python_path} if uses(spec, "python") else {}),
        **{key: _fill(text, values) for key, text in spec.environment.items()},
        RUN_MARK: run_id,
        "AIGC_WORKLOAD": spec.name,
        "AIGC_CLUSTER": str(layout.root),
    }
    argv = tuple(_fill(text, values) for text in (*spec.command, *spec.args))
    if not spec.command:
        raise ClusterError(Reason.START_REFUSED, "the engine version has no command, and a local cluster runs no images")
    program = shutil.which(argv[0], path=environment["PATH"])
    if program is None:
        raise ClusterError(Reason.START_REFUSED, f"{argv[0]}: not found, or not executable")
    if any("\0" in text for text in (*argv, *environment, *environment.values())) or any("=" in key for key in environment):
        raise ClusterError(Reason.START_REFUSED, "NUL in the command, or NUL or '=' in the name of a variable")
    return Plan((program, *argv[1:]), environment)


def _visible_gpus(spec: WorkloadSpec, devices: tuple[str, ...]) -> dict[str, str]:
    """Show an engine its own GPUs, and none to one without; all where an operator counts slots instead of devices."""
    if not devices and spec.gpu.vendor != "cpu":
        return {}
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": ",".join(devices)}


def _fill(text: str, values: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise ClusterError(Reason.START_REFUSED, f"unknown placeholder {match[0]} in {text!r}")
        return values[match[1]]

    return _PLACEHOLDER.sub(value, text)


def spawn(plan: Plan, *, directory: Path, log: Path, exit_code: Path, lock: int) -> Identity:
    """Start the recorder with its engine in a session of its own; OSError if the machine has no room for it."""
    pid = os.posix_spawn(
        "/bin/sh",
        ["sh", "-c", _RECORDER, str(exit_code), str(directory), *plan.argv],
        dict(plan.environment),
        file_actions=[
            (os.POSIX_SPAWN_DUP2, lock, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
            *((os.POSIX_SPAWN_CLOSE, descriptor) for descriptor in _inheritable()),
        ],
        setsid=True,
        # A worker ignores signals that an engine must not: ignored ones are inherited.
        setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
        setsigmask=[],
    )
    leader = identify(pid)
    threading.Thread(target=_reap, args=(pid,), name=f"reap-{pid}", daemon=True).start()
    if leader is None:
        raise ChildProcessError(f"process {pid} was reaped by somebody else")
    return leader


def _inheritable() -> list[int]:
    """What our own parent has passed on to us: held by an engine that outlives us, its other end would wait for ever."""
    found = []
    for descriptor in [int(path.name) for path in Path("/dev/fd").iterdir()]:
        with suppress(OSError):  # the one that listed them is closed again
            if descriptor > 2 and os.get_inheritable(descriptor):
                found.append(descriptor)
    return found


def _reap(pid: int) -> None:
    """Leave no zombie to a long-lived worker."""
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        return  # somebody else's waitpid(-1) was faster
