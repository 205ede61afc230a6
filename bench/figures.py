"""What a benchmark returns, and how it is printed."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One row: `value` in `unit`, its `floor` in the same unit measured in the same run, and the `target` it is judged by.

    `ok` is about the ratio value/floor where `target` is one (`≥ 0.50 × floor`), else about the value itself (`≤ 150 ms`).
    Without a target the figure only informs.
    """

    name: str
    value: float
    unit: str
    floor: float
    target: str = ""
    ok: bool = True

    @property
    def ratio(self) -> float | None:
        """How many times the floor; None if that is nothing."""
        return self.value / self.floor if self.floor else None

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as people read it."""
        ratio = "–" if self.ratio is None else f"{self.ratio:.2f}"
        verdict = "–" if not self.target else "yes" if self.ok else "NO"
        return self.name, f"{self.value:,.1f}", self.unit, f"{self.floor:,.1f}", ratio, self.target or "–", verdict


def percentile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that at least `share` of all do not exceed."""
    return sorted(samples)[max(0, math.ceil(len(samples) * share) - 1)]


def table(figures: Sequence[Figure]) -> str:
    """Aligned text, one figure a line."""
    rows = [("name", "value", "unit", "floor", "ratio", "target", "ok"), *(figure.cells for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def save(figures: Sequence[Figure], path: Path) -> None:
    """Write the figures for machines."""
    path.write_text(json.dumps([asdict(figure) | {"ratio": figure.ratio} for figure in figures], indent=2) + "\n")
