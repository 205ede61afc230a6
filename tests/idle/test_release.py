"""Idle release with real engine processes: what is released, and what is not."""

import json
import threading
import urllib.request
from datetime import UTC, datetime, time, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from engines.activity import recorded
from engines.errors import Unavailable
from engines.idle.decision import Why
from engines.models import Capacity, Cluster, Engine, EngineVersion, IdleRule, Instance, Schedule, Use, UseSpan
from engines.operations import idle as operations
from engines.operations import idle_rules, instances, schedules
from engines.queries.idle import why_on
from engines.reasons import Reason
from engines.release import looking, marking
from engines.release.rules import policy_for
from engines.states import DesiredState, InstanceState
from tenants.errors import NotAllowed, NotVisible
from tests import factories
from tests.driving import drive
from tests.idle.conftest import record
from tests.waiting import wait_until

LONG = {"prompt": "a harbour at night", "steps": 60, "width": 1024, "height": 1024}


def generate(instance: Instance, **changes: object) -> threading.Thread:
    """Make the engine work for a while, as a program does that hangs up no sooner than it is done."""

    def post() -> None:
        body = json.dumps(LONG | changes).encode()
        address = f"http://{instance.upstream}/sdapi/v1/txt2img"
        request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=60).read()

    thread = threading.Thread(target=post)
    thread.start()
    wait_until(lambda: progress(instance)["state"]["job_count"])
    return thread


def interrupt(instance: Instance, work: threading.Thread) -> None:
    """End the work as its page's button does."""
    urllib.request.urlopen(urllib.request.Request(f"http://{instance.upstream}/sdapi/v1/interrupt", b""), timeout=10).read()
    work.join()


def progress(instance: Instance) -> dict:
    with urllib.request.urlopen(f"http://{instance.upstream}/sdapi/v1/progress?skip_current_image=true", timeout=10) as answer:
        return json.load(answer)


def finish(instance: Instance, pass_time) -> bool:
    """Let the notice pass, then do the second half."""
    pass_time(instance, seconds=21)
    return marking.finish(instance.pk)


def test_an_idle_engine_is_released_and_its_data_is_kept(launch, look, pass_time):
    instance = launch()
    assert look(instance).why == "warm_up"
    pass_time(instance, minutes=31)
    use = look(instance)
    assert (use.why, use.releasing_since) == ("one_more_look", None)
    pass_time(instance, minutes=1)
    use = look(instance)
    assert (use.why, use.releasing_since is not None) == ("idle", True)
    assert finish(instance, pass_time)
    drive(instance, "stopped")
    assert instance.reason == "gone"
    reasons = list(instance.events.values_list("reason", flat=True))
    assert reasons[-3:] == ["idle_released", "idle_released", "gone"]
    wish = instance.events.get(kind="wish", reason="idle_released")
    assert wish.actor is None
    assert "idle after: 0:20:00" in wish.evidence
    instances.resume_instance(instance=instance, by=instance.tenant.memberships.get())
    drive(instance, "running")


def test_a_running_generation_is_never_ended_with_the_tab_closed(launch, look, pass_time):
    instance = launch()
    pass_time(instance, hours=5)
    work = generate(instance)
    assert look(instance, times=2).why == "busy"
    pass_time(instance, minutes=50)
    use = look(instance)
    assert (use.why, use.releasing_since, use.free_looks) == ("busy", None, 0)
    interrupt(instance, work)
    assert look(instance, times=2).why == "idle"
    assert UseSpan.objects.filter(instance=instance, kind="work").count() >= 1


def test_work_that_begins_during_the_notice_wins(launch, look, pass_time):
    instance = launch()
    pass_time(instance, hours=1)
    assert look(instance, times=2).releasing_since is not None
    work = generate(instance)
    assert not finish(instance, pass_time)
    interrupt(instance, work)
    use = Use.objects.get(instance=instance)
    assert (use.releasing_since, use.free_looks) == (None, 0)
    instance.refresh_from_db()
    assert instance.desired_state == DesiredState.RUNNING


def test_an_open_tab_and_a_socket_that_comes_again_and_again_keep_nothing_on(launch, look, pass_time):
    instance = launch()
    pass_time(instance, hours=1)
    record(instance, any_at=timezone.now())  # polls and sockets
    assert look(instance, times=2).why == "idle"
    record(instance, any_at=timezone.now())
    assert finish(instance, pass_time)


@pytest.mark.parametrize(("field", "why"), [("user_at", "used"), ("api_at", "called"), ("work_at", "stream")])
def test_use_keeps_it_on(launch, look, pass_time, field, why):
    instance = launch()
    pass_time(instance, hours=1)
    record(instance, **{field: timezone.now() - timedelta(minutes=2)})
    use = look(instance, times=2)
    assert (use.why, use.releasing_since) == (why, None)
    assert abs((use.due_at - timezone.now()).total_seconds() - 17 * 60) < 30


def test_a_request_that_gwauth_wrote_down_during_the_notice_wins(launch, look, pass_time):
    instance = launch()
    pass_time(instance, hours=1)
    look(instance, times=2)
    pass_time(instance, seconds=21)
    record(instance, user_at=timezone.now())
    assert not marking.finish(instance.pk)
    instance.refresh_from_db()
    assert (instance.desired_state, instance.use.releasing_since) == (DesiredState.RUNNING, None)


def test_a_request_in_the_last_moment_wins_or_loses_but_never_both(launch, look, pass_time, transactional_db):
    instance = launch()
    pass_time(instance, hours=1)
    look(instance, times=2)
    pass_time(instance, seconds=21)
    start, results = threading.Barrier(2), {}

    def run(name, act):
        try:
            start.wait()
            results[name] = act()
        finally:
            connection.close()

    threads = [
        threading.Thread(target=run, args=("released", lambda: marking.finish(instance.pk))),
        threading.Thread(target=run, args=("kept", lambda: marking.clear(instance.slug))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    instance.refresh_from_db()
    assert results["released"] != results["kept"]
    assert (instance.desired_state == DesiredState.STOPPED) == results["released"]
    assert instance.events.filter(kind="wish", reason="idle_released").count() == int(results["released"])


def test_the_second_half_is_made_good_when_its_hint_is_lost_and_done_once_when_it_comes_twice(launch, look, pass_time):
    instance = launch()
    pass_time(instance, hours=1)
    look(instance, times=2)
    assert not marking.overdue().exists()  # the notice lasts
    assert not marking.finish(instance.pk)
    pass_time(instance, seconds=21)
    assert [use.instance_id for use in marking.overdue()] == [instance.pk]
    assert [marking.finish(instance.pk), marking.finish(instance.pk)] == [True, False]


def test_an_engine_that_fails_to_answer_is_not_idle(launch, look, pass_time):
    instance = launch("--touch", "x")  # answers 404 to everything but its health
    pass_time(instance, hours=2)
    use = look(instance, times=3)
    assert (use.why, use.releasing_since, use.free_looks) == ("unknown", None, 0)
    pass_time(instance, minutes=30)
    use = look(instance)
    assert (use.why, use.releasing_since) == ("unknown_too_long", None)
    IdleRule.objects.create(name="all", release_unknown=True)
    assert look(instance).releasing_since is not None


def test_an_engine_that_cannot_be_asked_is_released_after_twice_the_time(launch, look, pass_time):
    instance = launch("--touch", "x", family="http")
    pass_time(instance, minutes=45)
    assert look(instance, times=2).why == "warm_up"
    pass_time(instance, minutes=6)
    assert look(instance, times=2).why == "idle"
    assert finish(instance, pass_time)


def test_nothing_is_released_while_nobody_knows_who_uses_what(launch, look, pass_time, settings):
    instance = launch()
    pass_time(instance, hours=1)
    look(instance, times=2)
    pass_time(instance, seconds=21)
    recorded._valkey.cache_clear()
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    try:
        looking.look_at_all()
        assert not marking.finish(instance.pk)
    finally:
        recorded._valkey.cache_clear()
    instance.refresh_from_db()
    assert (instance.desired_state, instance.use.releasing_since) == (DesiredState.RUNNING, None)


def test_a_wish_during_the_notice_wins(launch, look, pass_time, ask):
    instance = launch()
    pass_time(instance, hours=1)
    look(instance, times=2)
    ask(operations.keep_instance, instance, duration=timedelta(hours=1))
    assert not finish(instance, pass_time)
    use = look(instance)
    assert use.why == "kept"


def test_people_keep_it_on_for_no_longer_than_the_rule_allows(launch, look, pass_time, ask, alice_in_acme):
    instance = launch()
    IdleRule.objects.create(name="short", maximum_keep_minutes=90)
    until = operations.keep_instance(instance=instance, by=alice_in_acme, duration=timedelta(hours=9))
    assert abs((until - timezone.now()).total_seconds() - 90 * 60) < 5
    again = operations.keep_instance(instance=instance, by=alice_in_acme, duration=timedelta(minutes=5))
    assert again == until  # never sooner than was asked before
    answer = why_on(Instance.objects.select_related("use").get(pk=instance.pk))
    assert answer is not None
    assert (answer.why, answer.stops_at, answer.may_keep) == (Why.KEPT, until, False)  # said at once, not at the next look
    IdleRule.objects.update(maximum_keep_minutes=0)
    with pytest.raises(Unavailable):
        operations.keep_instance(instance=instance, by=alice_in_acme, duration=timedelta(minutes=5))
    assert instance.events.filter(reason="kept").count() == 2


def test_it_is_released_as_soon_as_its_queue_is_empty_if_asked(launch, look, pass_time, ask):
    instance = launch()
    work = generate(instance)
    record(instance, user_at=timezone.now())
    ask(operations.release_when_free, instance, wanted=True)
    assert look(instance, times=2).why == "busy"
    interrupt(instance, work)
    assert look(instance, times=2).why == "queue_empty"
    assert finish(instance, pass_time)
    assert instance.events.filter(kind="wish").last().reason == "queue_empty"


def test_that_can_be_taken_back_and_is_refused_where_nothing_can_be_asked(launch, look, pass_time, ask):
    instance = launch()
    ask(operations.release_when_free, instance, wanted=True)
    ask(operations.release_when_free, instance, wanted=False)
    record(instance, user_at=timezone.now())
    assert look(instance, times=2).why == "warm_up"
    mute = launch("--touch", "x", family="http")
    with pytest.raises(Unavailable):
        ask(operations.release_when_free, mute, wanted=True)


def test_strangers_and_colleagues_ask_nothing(launch, bob_in_bolt, acme):
    instance = launch()
    colleague = factories.join(factories.make_user("carl"), acme)
    for by, refusal in ((bob_in_bolt, NotVisible), (colleague, NotAllowed)):
        with pytest.raises(refusal):
            operations.keep_instance(instance=instance, by=by, duration=timedelta(hours=1))
        with pytest.raises(refusal):
            operations.release_when_free(instance=instance, by=by, wanted=True)
    assert not Use.objects.filter(instance=instance).exists()


def test_another_run_begins_anew(launch, look, pass_time, ask):
    instance = launch()
    ask(operations.keep_instance, instance, duration=timedelta(hours=3))
    ask(operations.release_when_free, instance, wanted=True)
    ask(instances.pause_instance, instance)
    drive(instance, "stopped")
    ask(instances.resume_instance, instance)
    drive(instance, "running")
    use = look(instance)
    assert (use.run_id, use.keep_until, use.when_free, use.why) == (instance.run_id, None, False, "warm_up")


def test_the_longest_life_ends_also_what_is_used(launch, look, pass_time):
    IdleRule.objects.create(name="half a day", maximum_life_minutes=12 * 60)
    instance = launch()
    pass_time(instance, hours=12)
    record(instance, user_at=timezone.now())
    work = generate(instance)
    assert look(instance, times=2).why == "busy"
    interrupt(instance, work)
    assert look(instance, times=2).why == "life_over"
    assert finish(instance, pass_time)


def test_a_teams_rule_holds_where_it_is_stricter(launch, look, pass_time, acme):
    IdleRule.objects.create(name="ours", author="tenant", tenant=acme, idle_minutes=5, exempt=True)
    instance = launch()
    pass_time(instance, minutes=14)
    assert look(instance, times=2).why == "idle"
    IdleRule.objects.filter(author="tenant").update(idle_minutes=500)
    Use.objects.update(releasing_since=None, free_looks=0)
    assert look(instance).why == "warm_up"


def test_a_teams_rule_leaves_what_it_does_not_name_to_the_operators(launch, anna_in_acme):
    IdleRule.objects.create(name="long", maximum_busy_minutes=72 * 60, end_busy=True, warm_up_minutes=30, minimum_run_minutes=60)
    instance = launch()
    operators = policy_for(instance)
    idle_rules.tighten_release(by=anna_in_acme, wanted=IdleRule(idle_minutes=15, maximum_keep_minutes=60))
    policy = policy_for(instance)
    assert (policy.idle, policy.maximum_keep) == (timedelta(minutes=15), timedelta(minutes=60))
    left = ("warm_up", "minimum_run", "maximum_busy", "end_busy", "maximum_life")
    assert [getattr(policy, name) for name in left] == [getattr(operators, name) for name in left]


def test_one_engines_trouble_costs_no_other_its_look(launch, look, pass_time, alice_in_acme):
    """One whose cluster does not answer, and one whose catalog entry cannot be read any more."""
    healthy, broken = launch(), launch()
    away = factories.make_instance(
        healthy.tenant,
        healthy.owner,
        Cluster.objects.create(slug="away", name="Away", kind="kubernetes", config={"kubeconfig": "/nowhere"}),
        engine_version=factories.make_engine_version(engine=Engine.objects.create(slug="gradio", name="Gradio", family="gradio")),
        state="running",
        upstream="127.0.0.1:1",
        run_id="away",
        ready_at=timezone.now(),
    )
    EngineVersion.objects.filter(pk=broken.engine_version_id).update(activity={"probe": {"kind": "oracle"}})
    for instance in (healthy, broken, away):
        pass_time(instance, hours=1)
    assert look(healthy, times=2).why == "idle"
    assert Use.objects.get(instance=away).why == "unknown"
    assert not Use.objects.filter(instance=broken).exclude(why="").exists()


NOW = datetime(2026, 3, 4, 18, 0, tzinfo=UTC)  # a Wednesday


def schedule(by, instance, action, at=time(18), days=0b0000100):
    return schedules.add_schedule(by=by, instance=instance, schedule=Schedule(action=action, at=at, days=days, time_zone="UTC"))


def fire_at(made, now):
    Schedule.objects.filter(pk=made.pk).update(done_until=now - timedelta(minutes=5))
    schedules._fire(Schedule.objects.select_related("instance", "made_by").get(pk=made.pk), now)


def test_a_schedule_stops_what_is_free_and_starts_it_again(launch, look, pass_time, alice_in_acme):
    instance = launch()
    stop = schedule(alice_in_acme, instance, "stop")
    record(instance, user_at=timezone.now())
    fire_at(stop, NOW)
    assert Use.objects.get(instance=instance).stop_due_at == NOW
    work = generate(instance)
    assert look(instance, times=2).why == "busy"
    interrupt(instance, work)
    assert look(instance, times=2).why == "schedule"
    assert finish(instance, pass_time)
    drive(instance, "stopped")
    start = schedule(alice_in_acme, instance, "start")
    fire_at(start, NOW)
    drive(instance, "running")
    assert instance.events.filter(reason="schedule_started").count() == 1


@pytest.mark.parametrize("state", ["queued", "provisioning", "starting"])
def test_a_scheduled_stop_calls_off_what_has_yet_to_run(state, cluster, gpu_class, alice_in_acme):
    version = factories.make_engine_version("--never-listen")
    instance = instances.launch_instance(membership=alice_in_acme, engine_version=version, gpu_class=gpu_class, name="Dragon")
    Capacity.objects.update(slots=0 if state == "queued" else 1)
    if state == "provisioning":
        instance.move_to(InstanceState.PROVISIONING, reason=Reason.ADMITTED, applied_generation=instance.generation)
    else:
        drive(instance, state)
    stop = schedule(alice_in_acme, instance, "stop")
    fire_at(stop, NOW)
    instance.refresh_from_db()
    assert (instance.desired_state, instance.wish_reason) == ("stopped", "schedule_stopped")
    drive(instance, "stopped")
    assert str(instance.explanation.sentence) == "Paused by its schedule. The data is kept."
    assert instance.events.get(kind="wish", reason="schedule_stopped").actor is None
    instances.resume_instance(instance=instance, by=alice_in_acme)
    schedules._fire(Schedule.objects.get(pk=stop.pk), NOW + timedelta(minutes=1))
    instance.refresh_from_db()
    assert instance.desired_state == "running"


def test_a_teams_stop_reaches_those_of_the_team_alone_and_what_has_failed_stays_so(
    cluster, anna_in_acme, bob_in_bolt, acme, alice
):
    def row(tenant, owner, state, **fields):
        return factories.make_instance(tenant, owner, cluster, state=state, **fields)

    queued, failed = row(acme, alice, "queued"), row(acme, alice, "failed", settled_generation=1)
    restarting = row(acme, alice, "running", run_id="r", applied_generation=1, generation=2, restart_generation=2)
    deleted, other = row(acme, alice, "deleting", desired_state="deleted"), row(bob_in_bolt.tenant, bob_in_bolt.user, "queued")
    fire_at(schedule(anna_in_acme, None, "stop"), NOW)
    wishes = [Instance.objects.get(pk=each.pk).desired_state for each in (queued, failed, restarting, deleted, other)]
    assert wishes == ["stopped", "running", "stopped", "deleted", "running"]


def test_a_schedule_fires_once_and_not_when_it_is_too_late(launch, alice_in_acme, ask):
    instance = launch()
    ask(instances.pause_instance, instance)
    drive(instance, "stopped")
    start = schedule(alice_in_acme, instance, "start")
    fire_at(start, NOW + timedelta(hours=2))
    assert not instance.events.filter(reason="schedule_started").exists()
    fire_at(start, NOW)
    late = Schedule.objects.select_related("instance", "made_by").get(pk=start.pk)
    schedules._fire(late, NOW + timedelta(minutes=1))
    assert instance.events.filter(reason="schedule_started").count() == 1


def test_a_start_that_is_refused_is_told(launch, alice_in_acme, acme, ask):
    instance = launch()
    ask(instances.pause_instance, instance)
    drive(instance, "stopped")
    factories.cap(acme, running=0)
    fire_at(schedule(alice_in_acme, instance, "start"), NOW)
    event = instance.events.last()
    assert event.reason == "schedule_failed"
    assert "limit of 0 running instances" in event.evidence
    instance.refresh_from_db()
    assert instance.desired_state == DesiredState.STOPPED
