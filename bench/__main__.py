"""`python -m bench [NAME]`: start the product, run bench/bench_*.py on it, print a table, write bench/results.json."""

import importlib
import os
import sys
import tempfile
from pathlib import Path

from bench.figures import Figure, save, table
from tests.stack import Stack

HERE = Path(__file__).parent


def main(only: str) -> int:
    names = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    chosen = [name for name in names if not only or name == only]
    if not chosen:
        print(f"No benchmark is called {only!r}; there are: {', '.join(names)}.", file=sys.stderr)
        return 2
    figures = measure(chosen)
    print(table(figures))
    save(figures, HERE / "results.json")
    return 0 if all(figure.ok for figure in figures) else 1


def measure(names: list[str]) -> list[Figure]:
    """Run the benchmarks one after another on one product, which ends with its data, whatever happens."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="aigc-bench-") as scratch:
        os.chmod(scratch, 0o711)  # noqa: PTH101 - PostgreSQL runs under another account when this runs as root
        say("starting the product …")
        with Stack(Path(scratch) / "data") as stack:
            for name in names:
                say(f"measuring {name} …")
                figures += importlib.import_module(f"bench.bench_{name}").measure(stack)
    return figures


def say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
