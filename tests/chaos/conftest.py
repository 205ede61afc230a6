"""One stack for all of chaos: starting one takes seconds. `xdist_group` keeps its tests on one worker."""

from collections.abc import Iterator
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
    with Stack(directory / "data", VARIABLES) as stack:
        stack.manage("seed_demo", "--catalog", str(catalog))
        alice = Person(stack)
        alice.sign_in("alice", DEMO_PASSWORD)
        world = World(stack, alice, directory)
        world.rows("UPDATE tenants_tenant SET max_running = 20 WHERE slug = 'acme'")
        yield world
        world.close()
