"""Random wishes while random processes are killed at random moments; afterwards everything must be as it was last wished."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import psutil
import pytest

from tests.chaos import strange
from tests.chaos.test_kill import VICTIMS
from tests.chaos.world import PATIENCE_SECONDS, World

pytestmark = pytest.mark.chaos_full

WISHES = 40


@pytest.mark.parametrize("seed", range(3))
def test_after_a_storm_everything_is_as_it_was_wished(world, seed):
    dice = random.Random(seed)
    world.wait_until_served()
    slugs = [world.launch(f"Storm {seed}.{number}", dice.choice(["steady", "slow", "stubborn"])) for number in range(5)]
    with storm(world, random.Random(-seed - 1)):
        for _ in range(WISHES):
            insist(world, dice.choice(slugs), dice.choice(["pause", "resume", "restart", "cancel", "resume"]))
    world.wait_until_served()
    insist_on_deletion(world, slugs[0])

    for slug in slugs:
        world.wait(slug, world.instance(slug)["desired_state"])
    states = world.states(slugs)
    assert {slug: len(world.engines(slug)) for slug in slugs} == {slug: int(state == "running") for slug, state in states.items()}
    assert [slug for slug, state in states.items() if state != "running" and world.marked(slug)] == []
    assert world.holding(strange.WIDE) == sum(state == "running" for state in states.values())
    failures = "SELECT e.* FROM engines_instanceevent e JOIN engines_instance i ON i.id = e.instance_id"
    assert world.rows(f"{failures} WHERE e.new_state = 'failed' AND i.slug = ANY(%s)", slugs) == []
    for slug in slugs[1:]:
        insist_on_deletion(world, slug)
        world.wait(slug, "deleted")


@contextmanager
def storm(world: World, dice: random.Random) -> Iterator[None]:
    """Kill a process every few seconds until the block ends."""
    over = threading.Event()

    def rage() -> None:
        while not over.wait(dice.uniform(1, 6)):
            program, _, child = dice.choice(VICTIMS).partition("'s ")
            with suppress(IndexError, psutil.Error):  # it is dead already
                doomed = world.main_processes(program)[0]
                (dice.choice(doomed.children()) if child else doomed).kill()

    killer = threading.Thread(target=rage)
    killer.start()
    try:
        yield
    finally:
        over.set()
        killer.join()


def insist(world: World, slug: str, action: str) -> None:
    """Press a button until somebody answers; a refusal is an answer."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with suppress(httpx.HTTPError, AssertionError):
            answer = world.person.post(f"/{world.tenant}/instances/{slug}/{action}/", form=f"/{world.tenant}/")
            if answer.status_code in {200, 422}:
                return
        time.sleep(0.05)
    raise AssertionError("nobody answers")


def insist_on_deletion(world: World, slug: str) -> None:
    world.wait_until_served()
    world.delete(slug)
