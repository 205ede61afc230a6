"""kill -9 each of the product's processes while instances are in every phase at once."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.chaos import strange
from tests.chaos.world import PATIENCE_SECONDS, Visitor, World
from tests.waiting import wait_until

# What holds the truth or acts on it is killed in every `make test`, the others in `make chaos`.
ACTORS = ["worker", "watcher", "valkey", "postgres"]
OTHERS = ["web", "gwauth", "gateway", "beat", "worker's child"]
VICTIMS = [*ACTORS, *OTHERS]


@dataclass
class Cast:
    """Instances that play one phase each, again and again."""

    world: World
    running: str
    starting: str
    stopping: str
    provisioning: str
    narrow: list[str]  # the one that runs and the one that will wait for its slot
    visitor: Visitor

    @property
    def waiting(self) -> str:
        return self.narrow[1]

    @property
    def holder(self) -> str:
        return self.narrow[0]


@pytest.fixture(scope="module")
def cast(world: World) -> Iterator[Cast]:
    running = world.launch("Running", "steady")
    starting = world.launch("Starting", "slow")
    stopping = world.launch("Stopping", "stubborn")
    provisioning = world.launch("Provisioning", "steady")
    narrow = [world.launch("Narrow 1", "steady", strange.NARROW), world.launch("Narrow 2", "steady", strange.NARROW)]
    world.act(starting, "cancel")
    world.act(provisioning, "pause")
    world.act(narrow[1], "cancel")
    for slug in (running, stopping, narrow[0]):
        world.wait(slug, "running")
    for slug in (starting, provisioning, narrow[1]):
        world.wait(slug, "stopped")
    world.draw(running, seed=1)
    cast = Cast(world, running, starting, stopping, provisioning, narrow, Visitor(world, running))
    yield cast
    cast.visitor.close()
    for slug in (running, starting, stopping, provisioning, *narrow):
        world.delete(slug)
        world.wait(slug, "deleted")


@pytest.mark.parametrize("victim", [*ACTORS, *(pytest.param(victim, marks=pytest.mark.chaos_full) for victim in OTHERS)])
def test_whoever_is_killed_every_phase_ends_as_wished(cast, world, victim):
    deleting = world.launch(f"Deleting under {victim}", "stubborn")
    if world.instance(cast.stopping)["state"] == "stopped":
        world.act(cast.stopping, "resume")
    for slug in (cast.stopping, deleting):
        world.wait(slug, "running")
    for slug in (cast.starting, cast.provisioning, cast.waiting):
        world.wait(slug, "stopped")
    players = [cast.waiting, cast.provisioning, cast.starting, cast.running, cast.stopping, deleting]
    before = {slug: world.runs(slug) for slug in players}
    pictures = world.pictures(cast.running)
    assert pictures

    world.act(cast.waiting, "resume")
    world.wait(cast.waiting, "queued")
    with world.held_in_provisioning(cast.provisioning, lambda: world.act(cast.provisioning, "resume")):
        world.act(cast.starting, "resume")
        world.wait(cast.starting, "starting")
        world.act(cast.stopping, "pause")
        world.delete(deleting)
        world.wait(cast.stopping, "stopping")
        world.wait(deleting, "deleting")
        phases = ["queued", "provisioning", "starting", "running", "stopping", "deleting"]
        assert world.states(players) == dict(zip(players, phases, strict=True))
        world.kill(victim)

    world.wait_until_served()
    world.act(cast.holder, "pause")
    for slug, state in zip(players, ["running", "running", "running", "running", "stopped", "deleted"], strict=True):
        world.wait(slug, state)
    world.wait(cast.holder, "stopped")

    assert {slug: len(world.engines(slug)) for slug in (*players, cast.holder)} == dict(
        zip((*players, cast.holder), [1, 1, 1, 1, 0, 0, 0], strict=True)
    )
    assert not world.marked(cast.stopping)
    assert not world.marked(deleting)
    assert [len(world.runs(slug)) - len(before[slug]) for slug in players] == [1, 1, 1, 0, 0, 0]
    assert (world.holding(strange.WIDE), world.holding(strange.NARROW)) == (3, 1)
    assert world.pictures(cast.running) == pictures
    wait_until(cast.visitor.sees_engine, seconds=PATIENCE_SECONDS)

    for slug in (cast.starting, cast.provisioning):
        world.act(slug, "pause")
    cast.narrow.reverse()
