"""Files of costs: a FOCUS file and a workbook of a million lines, and what they take of memory."""

import json
import subprocess
import sys

from bench.figures import Figure
from tests.stack import ROOT, Stack

LIMIT_SECONDS = 1800


def measure(stack: Stack) -> list[Figure]:
    """Measure beside services of their own, which are empty and vanish; the product rests meanwhile."""
    command = [sys.executable, "-m", "aigc_portal.embedded.run", sys.executable, "-m", "bench.exports_figures"]
    run = subprocess.run(
        command, cwd=ROOT, env=stack.environment | {"DJANGO_SETTINGS_MODULE": "aigc_portal.settings"}, stdout=subprocess.PIPE,
        text=True, timeout=LIMIT_SECONDS, check=True,
    )  # fmt: skip
    return [Figure(**fields) for fields in json.loads(run.stdout.splitlines()[-1])]
