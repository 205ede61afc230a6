"""Engines that misbehave and wishes that cannot be granted: what the person reads, what is free again, what Retry does."""

import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from aigc_portal.demo_accounts import DEMO_PASSWORD
from tests.chaos import strange
from tests.chaos.world import PATIENCE_SECONDS, World, sentences
from tests.stack import Person
from tests.waiting import wait_until

FREE_AGAIN = "The GPU is free again, and nothing more is charged."


def assert_failed(world: World, slug: str, reason: str, sentence: str) -> None:
    """The instance is failed for the reason, says so in the sentence, holds nothing and offers a retry."""
    row = world.wait(slug, "failed")
    assert row["reason"] == reason
    page = world.page(slug)
    assert sentence in page
    assert FREE_AGAIN in page
    assert " Retry " in page
    assert not world.marked(slug)


def assert_retry_works(world: World, slug: str) -> None:
    world.act(slug, "resume")
    world.wait(slug, "running")
    assert len(world.engines(slug)) == 1
    remove(world, slug)


def remove(world: World, slug: str) -> None:
    world.delete(slug)
    world.wait(slug, "deleted")
    assert not world.marked(slug)


@pytest.mark.parametrize(
    ("version", "reason", "sentence"),
    [
        ("quits", "engine_exited", "The engine ended by itself. Its data is safe. Look at its log, then retry."),
        ("deaf", "start_timeout", "The engine did not answer within its start-up limit. Look at its log, then retry."),
        ("absent", "start_refused", "The engine could not be started at all. The engine version may be misconfigured"),
    ],
)
def test_an_engine_that_does_not_come_up_fails_and_retry_works_once_it_is_mended(world, version, reason, sentence):
    slug = world.launch(f"An engine that is {version}", version)
    assert_failed(world, slug, reason, sentence)
    assert world.rows("SELECT 1 FROM engines_runfact f JOIN engines_instance i ON i.id = f.instance_id "
                      "WHERE i.slug = %s AND f.kind = 'ready'", slug) == []  # so nothing is charged  # fmt: skip
    strange.mend(world.directory, version)
    assert_retry_works(world, slug)


@pytest.mark.parametrize(
    ("number", "reason", "sentence"),
    [
        (signal.SIGKILL, "engine_killed", "The engine was killed from outside the portal. Its data is safe; retry."),
        (signal.SIGTERM, "engine_exited", "The engine ended by itself. Its data is safe. Look at its log, then retry."),
    ],
)
def test_an_engine_that_dies_later_fails_with_its_pictures_kept(world, number, reason, sentence):
    slug = world.launch(f"Dies by {number.name}", "steady")
    world.wait(slug, "running")
    world.draw(slug, seed=int(number))
    pictures = world.pictures(slug)
    assert len(pictures) == 1
    world.engines(slug)[0].send_signal(number)
    assert_failed(world, slug, reason, sentence)
    assert world.pictures(slug) == pictures
    assert_retry_works(world, slug)


def test_a_retry_is_refused_nothing_is_started_when_no_port_is_free(world):
    slug = world.launch("Without a port", "steady")
    world.wait(slug, "running")
    world.act(slug, "pause")
    world.wait(slug, "stopped")
    with every_port_taken(world):
        world.act(slug, "resume")
        assert_failed(world, slug, "no_port", "No network port is free for the engine on this machine. Tell an operator.")
    assert_retry_works(world, slug)


@contextmanager
def every_port_taken(world: World) -> Iterator[None]:
    """Listen on whatever is left of the ports that the stack may give to engines."""
    first, last = (int(world.stack.environment[f"AIGC_LOCAL_PORT_{end}"]) for end in ("FIRST", "LAST"))
    with ExitStack() as held:
        for port in range(first, last + 1):
            listener = held.enter_context(socket.socket())
            with suppress(OSError):
                listener.bind(("127.0.0.1", port))
                listener.listen()
        yield


def test_on_a_full_disk_the_launch_fails_and_works_once_there_is_room(world):
    if world.small_disk is None:
        pytest.skip("a full disk needs the right to mount a small one: root on Linux")
    stuffing = world.small_disk / "stuffing"
    fill(stuffing)
    slug = world.launch("Without room", "steady", strange.TINY)
    assert_failed(
        world, slug, "disk_full", "The disk is full, so the engine could not start. Delete data that is no longer needed"
    )
    assert world.holding(strange.TINY) == 0
    stuffing.unlink()
    world.act(slug, "resume")
    world.wait(slug, "running")

    # What fills up under a running engine must not keep it from being paused.
    fill(stuffing)
    world.act(slug, "pause")
    wait_until(lambda: not world.marked(slug), seconds=PATIENCE_SECONDS)
    stuffing.unlink()
    world.wait(slug, "stopped")
    remove(world, slug)


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def test_a_name_that_is_taken_is_refused_and_nothing_is_written(world):
    slug = world.launch("The only one", "quits")
    before = world.rows("SELECT count(*) AS n FROM engines_instance")
    answer = world.try_launch("the only ONE", "steady")
    assert answer.status_code == 422
    assert "Acme Studio already has an instance named “the only ONE”." in sentences(answer.text)
    assert world.rows("SELECT count(*) AS n FROM engines_instance") == before
    remove(world, slug)


@pytest.mark.parametrize(
    "wrong", [{"version": "9.9"}, {"gpu_class": "h200"}, {"gpu_class": "rtx-4090"}], ids=["version", "class", "no-capacity"]
)
def test_what_is_not_on_offer_is_refused_and_nothing_is_written(world, wrong):
    before = world.rows("SELECT count(*) AS n FROM engines_instance")
    answer = world.try_launch("Not on offer", **({"version": "steady"} | wrong))
    assert answer.status_code == 422
    assert "One of your choices is no longer offered. Look through them again." in sentences(answer.text)
    assert world.rows("SELECT count(*) AS n FROM engines_instance") == before


def test_beyond_the_quota_a_launch_is_refused_with_what_to_do(world):
    world.cap_running("bolt", 1)
    bob = Person(world.stack)
    bob.sign_in("bob", DEMO_PASSWORD)
    bobs = World(world.stack, bob, world.directory, tenant="bolt")
    try:
        slug = bobs.launch("Bob's first", "steady")
        before = bobs.rows("SELECT count(*) AS n FROM engines_instance")
        answer = bobs.try_launch("Bob's second", "steady")
        assert answer.status_code == 422
        said = "This would exceed the limit of 1 running instances for Bolt Pictures: 1 in use, 1 more needed."
        assert said in sentences(answer.text)
        assert bobs.rows("SELECT count(*) AS n FROM engines_instance") == before
        remove(bobs, slug)
    finally:
        bobs.close()
