"""`python -m aigc_portal.embedded.run COMMAND...`: run a command beside empty services that vanish with it."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from aigc_portal.embedded import services


def main() -> int:
    """Run the command with DATABASE_URL and REDIS_URL set, and return its exit code."""
    with tempfile.TemporaryDirectory(prefix="aigc-run-") as directory:
        data_dir = Path(directory) / "data"
        with services.start(data_dir, services.Wanted(durable=False)) as running:
            environment = {
                **os.environ,
                "DATABASE_URL": running.addresses.database_url,
                "REDIS_URL": running.addresses.redis_url,
                "AIGC_DATA_DIR": str(data_dir),
            }
            return subprocess.run(sys.argv[1:], env=environment, check=False).returncode  # noqa: S603 - the caller's own


if __name__ == "__main__":
    sys.exit(main())
