"""How benchmarks count and print."""

import json
from pathlib import Path

import pytest

from bench.figures import Figure, percentile, save, table

FAST = Figure("fast", 1234.56, "1/s", 2000.0, "≥ 0.50 × floor")
SLOW = Figure("slow one", 151.0, "ms", 0.0, "≤ 150 ms", ok=False)
NEWS = Figure("news", 8.0, "ms", 4.0)


@pytest.mark.parametrize(
    ("samples", "share", "expected"),
    [
        ([7.0], 0.99, 7.0),
        ([3.0, 1.0, 2.0], 0.5, 2.0),
        ([4.0, 3.0, 2.0, 1.0], 0.5, 2.0),
        ([4.0, 3.0, 2.0, 1.0], 0.51, 3.0),
        (list(range(1, 101)), 0.99, 99),
        (list(range(1, 201)), 0.99, 198),
        (list(range(1, 102)), 0.99, 100),
        ([1.0, 2.0], 0.0, 1.0),
        ([1.0, 2.0], 1.0, 2.0),
    ],
)
def test_a_percentile_is_the_smallest_sample_that_enough_do_not_exceed(samples, share, expected):
    assert percentile(samples, share) == expected


def test_a_ratio_needs_a_floor():
    assert NEWS.ratio == 2.0
    assert SLOW.ratio is None


def test_the_table_is_aligned_and_says_what_was_missed():
    assert table([FAST, SLOW, NEWS]).splitlines() == [
        "name      value    unit  floor    ratio  target          ok",
        "fast      1,234.6  1/s   2,000.0  0.62   ≥ 0.50 × floor  yes",
        "slow one  151.0    ms    0.0      –      ≤ 150 ms        NO",
        "news      8.0      ms    4.0      2.00   –               –",
    ]


def test_machines_read_every_field(tmp_path: Path):
    save([SLOW], tmp_path / "results.json")
    assert json.loads((tmp_path / "results.json").read_text()) == [
        {
            "name": "slow one",
            "value": 151.0,
            "unit": "ms",
            "floor": 0.0,
            "target": "≤ 150 ms",
            "ok": False,
            "ratio": None,
        }
    ]
