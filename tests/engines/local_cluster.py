"""What tests of the local cluster share: other processes that call it, and looks at what it really left."""

import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engines.clusters.base import WorkloadSpec
from engines.clusters.local.adapter import LocalCluster
from tests.contract.workloads import own_name

CHANGES = {
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.mkdir",
    "os.utime",
    "os.posix_spawn",
    "shutil.rmtree",
    "signal.pidfd_send_signal",
}
# Clean single-threaded parents for processes that are going to be killed.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.engines.local_cluster"])


def call(config: dict[str, Any], method: str, *args: object, **kwargs: object) -> None:
    """Call one method of the cluster; the target of processes of their own."""
    getattr(LocalCluster.from_config("test", config), method)(*args, **kwargs)


def call_and_die(step: int, config: dict[str, Any], method: str, *args: object, **kwargs: object) -> None:
    """Call one method and be killed right before its `step`-th change to files or processes."""
    cluster = LocalCluster.from_config("test", config)
    steps = 0

    def hook(event: str, details: tuple[Any, ...]) -> None:
        nonlocal steps
        if event in CHANGES or (event == "open" and details[2] & (os.O_WRONLY | os.O_RDWR)):
            steps += 1
            if steps == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    getattr(cluster, method)(*args, **kwargs)
    os._exit(0)


def in_process(target: Callable[..., None], *args: object, **kwargs: object) -> int:
    """Run in a process of its own and return its exit code; -9 if it was killed."""
    process = processes.Process(target=target, args=args, kwargs=kwargs)
    process.start()
    process.join(20)
    assert process.exitcode is not None
    return process.exitcode


ONE = own_name("one")


def sleeper(name: str = ONE, **fields: Any) -> WorkloadSpec:
    """An engine that starts at once and never answers."""
    defaults: dict[str, Any] = {"epoch": 1, "volume": "v-one", "command": ("/bin/sleep", "600")}
    return WorkloadSpec(name=name, instance_id="", tenant="acme", **defaults | fields)


def leases(root: Path) -> dict[str, Any]:
    """What the book says is held."""
    book = root / "leases.json"
    return json.loads(book.read_text())["leases"] if book.exists() else {}
