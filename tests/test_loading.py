import os
import subprocess
import sys

SAY = """
import gc, sys
import aigc_portal.asgi
print(gc.get_freeze_count() > 100_000, "billing.api.routes" in sys.modules, "engines.views" in sys.modules)
"""


def test_a_server_has_every_view_loaded_and_frozen_before_it_answers_also_without_a_database():
    environment = {**os.environ, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere", "REDIS_URL": "redis://127.0.0.1:1"}
    run = subprocess.run([sys.executable, "-c", SAY], env=environment, capture_output=True, text=True, timeout=120, check=True)
    assert run.stdout.split() == ["True", "True", "True"], run.stdout + run.stderr
