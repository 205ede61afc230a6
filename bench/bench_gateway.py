"""Requests a second through the gateway to an engine, beside a plain proxy to the same engine; and what gwauth decides alone."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from aigc_portal.embedded.ports import caddy_binary
from bench.desk import Desk
from bench.figures import Figure
from bench.processes import acting, serving, serving_app
from bench.upstream import BODY
from tests.stack import ROOT, Stack, free_port

HERE = Path(__file__).parent
CONNECTIONS = 16
ROUNDS = 5
ROUND_SECONDS = 2.0
TARGET_SHARE = 0.5
BUSY = 0.9
# What a page's own script sends along.
SCRIPT = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin", "Accept": "*/*"}


def measure(stack: Stack) -> list[Figure]:
    """Run both ways in turn, so that both see the same machine."""
    stack.manage("load_catalog", str(HERE / "catalog.yaml"))
    plain_port, bare_port = free_port(), free_port()
    with Desk(stack) as desk, acting(stack) as actor:
        slug = desk.launch("bench gateway", engine="bench-upstream", version="1").slug
        upstream, gwauth = actor.ask("upstream", slug=slug), actor.ask("gwauth")
        headers = {"Host": f"{slug}.engines.localhost:{stack.port}", "Cookie": desk.enter(slug), **SCRIPT}
        question = {
            **headers, ":path": "/_gw/auth", "X-Aigc-Gw": gwauth["secret"], "X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/",
        }  # fmt: skip
        plain = [str(caddy_binary()), "run", "--config", str(HERE / "plain.Caddyfile"), "--adapter", "caddyfile"]
        variables = os.environ | {"BENCH_PORT": str(plain_port), "BENCH_UPSTREAM": upstream}
        with serving(plain, plain_port, variables), serving_app("bench.bare_app:app", bare_port):
            through, floor = in_turn(
                (f"127.0.0.1:{stack.port}", headers, len(BODY)), (f"127.0.0.1:{plain_port}", headers, len(BODY))
            )
            decided, bare = in_turn((gwauth["address"], question, 0), (f"127.0.0.1:{bare_port}", question, 0))
    target, ok = f"≥ {TARGET_SHARE:.2f} × floor", through >= floor * TARGET_SHARE
    return [
        Figure(f"gateway: requests over {CONNECTIONS} connections", through, "1/s", floor, target, ok),
        Figure("gwauth alone: decisions of one process", decided, "1/s", bare),
    ]


Way = tuple[str, Mapping[str, str], int]


def in_turn(first: Way, second: Way) -> tuple[float, float]:
    """The median of answers a second on either way, after a round of each that is not counted."""
    rounds = [(answers(*first), answers(*second)) for _ in range(ROUNDS + 1)][1:]
    return statistics.median(each[0] for each in rounds), statistics.median(each[1] for each in rounds)


def answers(address: str, headers: Mapping[str, str], length: int) -> float:
    """Answers a second, asked for by a process of its own."""
    wanted = {"address": address, "headers": headers, "length": length, "connections": CONNECTIONS, "seconds": ROUND_SECONDS}
    client = [sys.executable, "-m", "bench.load"]
    done = subprocess.run(client, cwd=ROOT, input=json.dumps(wanted), stdout=subprocess.PIPE, text=True, check=True)
    result = json.loads(done.stdout)
    if result["busy"] > BUSY:
        print(f"the client was {result['busy']:.0%} busy: {address} may be faster than it could ask", file=sys.stderr)
    return float(result["per_second"])
