"""`python -m bench [NAME]`: run bench/bench_*.py, print a table, write bench/results.json."""

import importlib
import sys
from pathlib import Path

from bench.figures import Figure, save, table

HERE = Path(__file__).parent


def main(only: str) -> int:
    names = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    chosen = [name for name in names if not only or name == only]
    if not chosen:
        print(f"No benchmark is called {only!r}; there are: {', '.join(names)}.", file=sys.stderr)
        return 2
    figures: list[Figure] = []
    for name in chosen:
        print(f"measuring {name} …", file=sys.stderr)
        figures += importlib.import_module(f"bench.bench_{name}").measure()
    print(table(figures))
    save(figures, HERE / "results.json")
    return 0 if all(figure.ok for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
