"""What a look at many engines writes: by as many statements as a look at one, and never over what belongs to somebody else."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from engines.activity.recorded import Recorded
from engines.models import Instance, Use, UseSpan
from engines.release import looking
from engines.release.rules import policy_for
from tests import factories
from tests.idle.conftest import record


@pytest.fixture
def run(acme, alice, cluster):
    """Rows of engines that run, and were used just now: nobody asks them."""

    def make(count: int) -> list[Instance]:
        ready_at = timezone.now() - timedelta(hours=1)
        made = []
        for number in range(count):
            fields = {"state": "running", "run_id": f"run-{number} of {count}", "upstream": "127.0.0.1:9", "ready_at": ready_at}
            instance = factories.make_instance(acme, alice, cluster, **fields)
            record(instance, user_at=timezone.now())
            Use.objects.create(instance=instance, run_id=instance.run_id, why="used", due_at=ready_at + timedelta(days=1))
            made.append(instance)
        return made

    return make


def statements() -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        looking.look_at_all()
    return len(captured)


def test_a_look_at_many_takes_as_many_statements_as_one_at_few(run):
    run(1)
    for_one = [statements(), statements()]  # the first begins the history of its use, the second adds to it
    assert UseSpan.objects.count() == 1
    Instance.objects.update(state="stopped")
    many = run(30)
    assert [statements(), statements()] == for_one
    seen = Use.objects.filter(instance__in=many)
    assert seen.filter(why="used", user_at__isnull=False, due_at__gt=timezone.now()).count() == 30


def conclude(instances, **meanwhile):
    """Decide for what was read; write it down after something else has happened."""
    now = timezone.now()
    cases = [looking.case_of(each, Recorded(user_at=now), policy_for(each), stop_at=None, now=now) for each in looking.running()]
    Use.objects.filter(instance=instances[0]).update(**meanwhile)
    looking.conclude_all(cases, {}, now)
    return now, [Use.objects.get(instance=each) for each in instances]


def test_a_row_that_is_about_another_run_by_now_is_left_alone(run):
    now, (first, second) = conclude(run(2), run_id="another", user_at=None, why="")
    assert (first.run_id, first.user_at, first.why) == ("another", None, "")
    assert (second.run_id, second.user_at, second.why) == ("run-1 of 2", now, "used")


def test_what_people_ask_meanwhile_is_left_alone(run):
    until = timezone.now() + timedelta(hours=2)
    now, (first, _second) = conclude(run(2), keep_until=until, when_free=True, stop_due_at=until)
    assert (first.keep_until, first.when_free, first.stop_due_at, first.user_at) == (until, True, until, now)
