"""What was charged after all that the other tests of this directory did: run it with them, it is the last."""

from collections import defaultdict
from itertools import pairwise
from typing import Any

from tests.chaos.world import World

# Of what was launched here: the year that the demo looks back on has facts and charges, and no life cycle but wishes.
OURS = "EXISTS (SELECT FROM engines_instanceevent event WHERE event.instance_id = {}.instance_id AND event.kind <> 'wish')"
SETTLE = "from django.utils import timezone; from billing.operations import settle_due; print(settle_due(now=timezone.now()))"


def test_every_run_is_charged_once_and_to_the_second(world):
    slug = world.launch("Paid for", "steady")
    world.wait(slug, "running")
    world.draw(slug, seed=5)
    world.act(slug, "pause")
    world.wait(slug, "stopped")

    world.stack.manage("shell", "-c", SETTLE)
    charged = charged_seconds(world)
    assert charged == seconds_by_facts(world)
    assert charged
    assert world.stack.manage("shell", "-c", SETTLE).strip().endswith("0")
    assert charged_seconds(world) == charged
    assert overlapping_usage(world) == []


def test_no_instance_ever_had_two_engines_at_once(world):
    overlaps = []
    for slug, runs in spans_by_instance(world).items():
        for (run, _, ended_at), (following, started_at, _) in pairwise(runs):
            if ended_at is None or ended_at > started_at:
                overlaps.append((slug, run, following, ended_at, started_at))
    assert overlaps == []


def test_no_run_was_seen_before_it_started(world):
    first = {run: facts[0]["at"] for run, facts in facts_by_run(world).items()}
    started = {run: _earliest(facts, "started") for run, facts in facts_by_run(world).items()}
    assert first == started


def charged_seconds(world: World) -> dict[str, int]:
    """What each run that is over was charged, in seconds."""
    rows = world.rows(
        f"""SELECT run_id, sum(seconds)::int AS seconds FROM billing_charge charge
        WHERE category = 'gpu' AND {OURS.format("charge")} GROUP BY run_id HAVING sum(seconds) <> 0"""
    )
    return {row["run_id"]: row["seconds"] for row in rows}


def seconds_by_facts(world: World) -> dict[str, int]:
    """From ready to ended, in whole seconds, of each run that is over."""
    expected = {}
    for run, facts in facts_by_run(world).items():
        ready, ended = _earliest(facts, "ready"), _earliest(facts, "ended")
        if ready and ended:
            expected[run] = int((ended.replace(microsecond=0) - ready.replace(microsecond=0)).total_seconds())
    return {run: seconds for run, seconds in expected.items() if seconds}


def facts_by_run(world: World) -> dict[str, list[dict[str, Any]]]:
    facts = defaultdict(list)
    query = "SELECT i.slug, f.* FROM engines_runfact f JOIN engines_instance i ON i.id = f.instance_id"
    for fact in world.rows(f"{query} WHERE {OURS.format('f')} ORDER BY f.at"):
        facts[fact["run_id"]].append(fact)
    return facts


def spans_by_instance(world: World) -> dict[str, list[tuple[str, Any, Any]]]:
    """Instance → (run, started, ended) in the order of their starts; ended is None while it lasts."""
    spans = defaultdict(list)
    for run, facts in facts_by_run(world).items():
        spans[facts[0]["slug"]].append((run, facts[0]["at"], _earliest(facts, "ended")))
    return {slug: sorted(runs, key=lambda each: each[1]) for slug, runs in spans.items()}


def _earliest(facts: list[dict[str, Any]], kind: str) -> Any:
    """When the fact happened; what the cluster says goes before what was concluded."""
    moments = [(fact["source"], fact["at"]) for fact in facts if fact["kind"] == kind]
    return min(moments)[1] if moments else None


def overlapping_usage(world: World) -> list[dict[str, Any]]:
    return world.rows(
        """SELECT one.id FROM billing_usageinterval one JOIN billing_usageinterval other
           ON one.instance_id = other.instance_id AND one.id < other.id
           AND tstzrange(one.starts_at, one.ends_at) && tstzrange(other.starts_at, other.ends_at)"""
    )
