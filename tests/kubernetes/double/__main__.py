"""The double as a process of its own, for runs of the whole product and for benchmarks.

Writes a kubeconfig beside its state (or where --kubeconfig says), prints one line when it serves, and ends its engines with
itself on SIGTERM and SIGINT.
"""

import argparse
import signal
import threading
from pathlib import Path

from tests.kubernetes.double import KubernetesDouble, node
from tests.kubernetes.double.rbac import ADMIN


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.kubernetes.double", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--kubeconfig", type=Path, help="where to write it; kubeconfig in the state directory by default")
    parser.add_argument("--token", default="", help="the portal's; a random one by default")
    parser.add_argument(
        "--open", action="store_true", help="requests without a token may do everything: kubectl sends none over HTTP"
    )
    parser.add_argument("--gpus", type=int, default=4, help="nvidia.com/gpu of each node")
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--speed", type=float, default=10, help="divides the cluster's own waiting times")
    parser.add_argument(
        "--image", action="append", default=[], metavar="REGEX=DOUBLE", help="what an image is, such as comfyui=double/sleep"
    )
    parser.add_argument("--load", action="append", type=Path, default=[], help="manifests to create at the start")
    parser.add_argument("--populate", type=int, default=0, metavar="PODS")
    parser.add_argument("--churn", type=float, default=0, metavar="PER_SECOND")
    return parser.parse_args()


def main() -> None:
    chosen = arguments()
    chosen.state.mkdir(parents=True, exist_ok=True)
    # Not a blocked signal and sigwait(): engines would inherit the block, and not heed SIGTERM.
    asked_to_end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked_to_end.set())
    nodes = [node(f"node-{number + 1}", {"nvidia.com/gpu": chosen.gpus}, number=number + 2) for number in range(chosen.nodes)]
    images = dict(each.split("=", 1) for each in chosen.image)
    reached = {"port": chosen.port, "token": chosen.token, "anonymous": ADMIN if chosen.open else ""}
    with KubernetesDouble(state=chosen.state, nodes=nodes, images=images, speed=chosen.speed, **reached) as double:
        for path in chosen.load:
            double.load(path)
        if chosen.populate:
            double.populate(chosen.populate)
        if chosen.churn:
            double.churn(chosen.churn)
        path = double.kubeconfig(chosen.kubeconfig or chosen.state / "kubeconfig")
        print(f"serving {double.url}, kubeconfig {path}", flush=True)
        asked_to_end.wait()


if __name__ == "__main__":
    main()
