"""Requests a second through the gateway to an engine, beside a plain proxy to the same engine; and what gwauth decides alone."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx

from aigc_portal.embedded.ports import caddy_binary
from bench.desk import Desk
from bench.figures import Figure
from bench.processes import Actor, acting, serving, serving_app
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
    """Ask an engine that costs next to nothing, Loom as it ships, and gwauth by itself."""
    stack.manage("load_catalog", str(HERE / "catalog.yaml"))
    with Desk(stack) as desk, acting(stack) as actor:
        return [
            *beside_plain_proxy(stack, desk, actor, engine=("bench-upstream", "1"), path="/", name="the cheapest engine"),
            *beside_plain_proxy(stack, desk, actor, engine=("loom", "2"), path="/healthz", name="Loom"),
            decisions(stack, desk, actor),
        ]


def beside_plain_proxy(
    stack: Stack, desk: Desk, actor: Actor, *, engine: tuple[str, str], path: str, name: str
) -> Iterator[Figure]:
    """Run both ways to one engine in turn, so that both see the same machine."""
    launched = desk.launch(f"bench {engine[0]}", engine=engine[0], version=engine[1])
    slug = launched.slug
    upstream = actor.ask("upstream", slug=slug)
    headers = visitor(stack, desk, slug) | {":path": path}
    length = len(httpx.get(f"http://{upstream}{path}").content)
    port = free_port()
    plain = [str(caddy_binary()), "run", "--config", str(HERE / "plain.Caddyfile"), "--adapter", "caddyfile"]
    with serving(plain, f"127.0.0.1:{port}", os.environ | {"BENCH_PORT": str(port), "BENCH_UPSTREAM": upstream}):
        through, floor = in_turn((f"127.0.0.1:{stack.port}", headers, length), (f"127.0.0.1:{port}", headers, length))
    ok = through >= floor * TARGET_SHARE
    yield Figure(f"gateway: {CONNECTIONS} connections to {name}", through, "1/s", floor, f"≥ {TARGET_SHARE:.2f} × floor", ok)
    desk.delete(launched)


def decisions(stack: Stack, desk: Desk, actor: Actor) -> Figure:
    """What one gwauth process decides, beside an ASGI application that says yes to everything."""
    slug = desk.launch("bench gwauth", engine="bench-upstream", version="1").slug
    gwauth, bare_socket = actor.ask("gwauth"), f"unix:{stack.data_dir}/bare.sock"
    about = {"X-Aigc-Gw": gwauth["secret"], "X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/"}
    question = visitor(stack, desk, slug) | {":path": "/_gw/auth"} | about
    with serving_app("bench.bare_app:app", bare_socket):
        decided, bare = in_turn((gwauth["address"], question, 0), (bare_socket, question, 0))
    return Figure("gwauth alone: decisions of one process", decided, "1/s", bare)


def visitor(stack: Stack, desk: Desk, slug: str) -> dict[str, str]:
    """What the script of a page of this engine sends, once its visitor has been let in."""
    return {"Host": f"{slug}.engines.localhost:{stack.port}", "Cookie": desk.enter(slug), **SCRIPT}


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
