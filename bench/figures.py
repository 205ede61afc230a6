"""What a benchmark returns, and how it is printed."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One row: `value` in `unit`, its `floor` in the same unit measured in the same run, and the `target` it is judged by.

    `ok` is about the ratio value/floor where `target` is one (`≥ 0.5 × floor`), else about the value itself (`≤ 150 ms`).
    """

    name: str
    value: float
    unit: str
    floor: float
    target: str
    ok: bool

    @property
    def ratio(self) -> float:
        return self.value / self.floor if self.floor else float("nan")


def percentile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that at least `share` of all do not exceed."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * share // 1).__int__() - 1))]


def table(figures: Sequence[Figure]) -> str:
    """Aligned text, one figure a line."""
    rows = [("name", "value", "unit", "floor", "ratio", "target", "ok")]
    rows += [
        (f.name, f"{f.value:,.1f}", f.unit, f"{f.floor:,.1f}", f"{f.ratio:.2f}", f.target, "yes" if f.ok else "NO")
        for f in figures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def save(figures: Sequence[Figure], path: Path) -> None:
    """Write the figures for machines."""
    path.write_text(json.dumps([asdict(figure) | {"ratio": figure.ratio} for figure in figures], indent=2) + "\n")
