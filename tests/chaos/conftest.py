"""One stack for all of chaos: starting one takes seconds. tests/scheduling.py keeps its tests on one worker."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aigc_portal.demo_accounts import DEMO_PASSWORD
from tests.chaos import strange
from tests.chaos.world import World
from tests.stack import Person, Stack

# Phases long enough to be hit, rounds short enough to be waited for.
VARIABLES = {"AIGC_SWEEP_SECONDS": "2", "AIGC_STOP_GRACE_SECONDS": "4"}


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory: Path = tmp_path_factory.mktemp("chaos")
    catalog = strange.write_catalog(directory)
    with Stack(directory / "data", VARIABLES) as stack, mounted(stack.data_dir / "clusters" / "small-disk") as small_disk:
        stack.manage("seed_demo", "--catalog", str(catalog))
        alice = Person(stack)
        alice.sign_in("alice", DEMO_PASSWORD)
        world = World(stack, alice, directory, small_disk)
        world.cap_running("acme", 20)
        yield world
        world.close()


@contextmanager
def mounted(place: Path) -> Iterator[Path | None]:
    """A file system of its own of 4 MiB at this place, or None where we may not mount one."""
    place.mkdir(parents=True)
    options = ["-t", "tmpfs", "-o", "size=4m,mode=0700", "none", str(place)]
    possible = os.geteuid() == 0 and shutil.which("mount") is not None
    if not possible or subprocess.run(["mount", *options], stderr=subprocess.DEVNULL, check=False).returncode:
        yield None
        return
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
