"""Who is told what about release, and how often: the clock is turned, the rest is real."""

from datetime import datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.utils import timezone
from standardwebhooks import Webhook

from aigc_portal.sealing import seal
from billing.operations import set_price
from engines.activity import recorded
from engines.idle.decision import Decision, Known, Why
from engines.idle.policy import Policy
from engines.models import IdleRule, Instance, Schedule, Use
from engines.operations import idle as operations
from engines.operations import instances, schedules, sharing
from engines.release import looking, marking
from engines.release.asking import ask as ask_engine
from engines.release.rules import policy_for
from engines.release.telling import due_warning
from tenants.notifications.models import Delivery, Notification, NotificationRecipient, WebhookEndpoint
from tenants.notifications.outbox import deliver_due
from tenants.notifications.signing import new_secret
from tests import factories
from tests.idle.conftest import record
from tests.notifications.receiver import receiving

NOON = datetime(2026, 3, 2, 12, tzinfo=ZoneInfo("UTC"))
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
POLICY = Policy()


@pytest.fixture(autouse=True)
def strangers(bob, acme):
    """Somebody of another tenant, and somebody who was a member until a moment ago, are told nothing."""
    gone = factories.make_user("gone")
    factories.join(gone, acme, "admin").delete()
    yield
    assert not NotificationRecipient.objects.filter(user__in=[bob, gone]).exists()
    assert not Delivery.objects.filter(user__in=[bob, gone]).exists()


@pytest.fixture
def at(time_machine):
    """Turn the clock to so many minutes after the engine became ready."""

    def turn(instance: Instance, minutes: float) -> datetime:
        now = instance.ready_at + minutes * MINUTE
        time_machine.move_to(now, tick=True)
        recorded._valkey().hset(recorded._key("*"), "any_at", now.timestamp())
        return now

    return turn


@pytest.fixture
def look_at(at):
    """The minute's look, at these minutes after the engine became ready."""

    def run(instance: Instance, *minutes: float) -> None:
        for each in minutes:
            at(instance, each)
            looking.look_at_all()

    return run


def told(kind: str | None = None) -> list[tuple[str, object, list[str]]]:
    """Kinds, what they say besides the name, and to whom; oldest first."""
    rows = Notification.objects.order_by("created_at", "pk").prefetch_related("recipients__user")
    return [
        (
            row.kind,
            next(value for key, value in row.context.items() if key != "name"),
            sorted(str(r.user) for r in row.recipients.all()),
        )
        for row in rows
        if kind in {None, row.kind}
    ]


def warned(*minutes: int) -> list[tuple[str, object, list[str]]]:
    return [("idle_warning", each, ["alice"]) for each in minutes]


def test_ten_and_two_minutes_before_and_when_it_is_done(launch, look_at, at):
    instance = launch()
    look_at(instance, 5, 19.5)
    assert told() == []
    look_at(instance, 20.2, 20.2, 21, 24)
    assert told() == warned(10)
    look_at(instance, 28.1, 28.1, 29)
    assert told() == warned(10, 2)
    look_at(instance, 30.1, 31.1, 31.2)
    assert told() == warned(10, 2)
    at(instance, 32)
    assert [marking.finish(instance.pk), marking.finish(instance.pk)] == [True, False]
    assert told() == [*warned(10, 2), ("idle_released", 32, ["alice"])]
    look_at(instance, 33)
    assert len(told()) == 3


def test_a_late_look_warns_of_what_is_left(launch, look_at):
    instance = launch()
    look_at(instance, 25.1, 29.1)
    assert told() == warned(5, 1)


def test_who_was_not_looked_at_in_time_is_warned_before_the_last_look(launch, look_at, at):
    instance = launch()
    look_at(instance, 5, 45)
    assert told() == warned(1)
    look_at(instance, 46)
    assert Use.objects.get().releasing_since is not None
    assert told() == warned(1)


def test_what_is_kept_is_warned_of_again_when_that_ends(launch, look_at, at, ask):
    instance = launch()
    look_at(instance, 20.2)
    at(instance, 21)
    ask(operations.keep_instance, instance, duration=HOUR)
    look_at(instance, 21.5, 28.1, 30.1, 31.1, 70)
    assert told() == warned(10)
    look_at(instance, 71.2, 72, 79.2, 80)
    assert told() == warned(10, 10, 2)


def test_a_visit_moves_the_warning(launch, look_at, at):
    instance = launch()
    look_at(instance, 20.2)
    record(instance, user_at=at(instance, 25))
    look_at(instance, 25.5, 28.1, 30.1, 34)
    assert told() == warned(10)
    look_at(instance, 35.2, 36)
    assert told() == warned(10, 10)


def _keep(instance, by):
    operations.keep_instance(instance=instance, by=by, duration=HOUR)


def _pause(instance, by):
    instances.pause_instance(instance=instance, by=by)


@pytest.mark.parametrize("wish", [_keep, _pause])
def test_what_is_asked_while_the_engine_answers_is_not_warned_of(launch, look_at, at, alice_in_acme, wish):
    instance = launch()
    look_at(instance, 5)
    now = at(instance, 21)
    (read,) = looking.running()
    case = looking.case_of(read, recorded.Recorded(), policy_for(read), stop_at=None, now=now)
    look = ask_engine(read)
    wish(instance, alice_in_acme)
    looking.conclude_all([case], {instance.pk: look}, now)
    assert told() == []


def test_who_was_given_the_engine_meanwhile_is_warned(launch, look_at, at, alice_in_acme, acme):
    instance = launch()
    now = at(instance, 21)
    (read,) = looking.running()
    case = looking.case_of(read, recorded.Recorded(), policy_for(read), stop_at=None, now=now)
    dora = factories.join(factories.make_user("dora"), acme).user
    sharing.hand_over_instance(instance=instance, by=alice_in_acme, to=dora)
    looking.conclude_all([case], {instance.pk: ask_engine(read)}, now)
    assert told("idle_warning") == [("idle_warning", 9, ["dora"])]


def test_what_nothing_releases_is_not_warned_of(launch, look_at):
    IdleRule.objects.create(name="never", exempt=True)
    look_at(launch(), 5, 20.2, 28.1, 31, 45)
    assert told() == []


def test_guests_are_not_warned(launch, look_at, acme):
    instance = launch()
    factories.share(instance, factories.join(factories.make_user("carol"), acme).user)
    look_at(instance, 20.2)
    assert told() == warned(10)


def test_the_longest_life_is_told_of_twice(launch, look_at, ask):
    IdleRule.objects.create(name="an hour", exempt=True, maximum_life_minutes=60)
    instance = launch()
    look_at(instance, 45)
    ask(operations.keep_instance, instance, duration=HOUR)  # moves no limit
    look_at(instance, 50.2, 51, 58.1, 59, 60.1)
    ends = (instance.ready_at + 60 * MINUTE).astimezone(ZoneInfo("UTC")).isoformat()
    assert told() == [("life_ends", ends, ["alice"])] * 2


def test_a_schedule_is_told_of_twice_also_once_it_has_fired(launch, look_at, at, alice_in_acme):
    IdleRule.objects.create(name="never", exempt=True)
    instance = launch()
    zone = ZoneInfo("Asia/Shanghai")
    stop = (instance.ready_at + 60 * MINUTE).astimezone(zone).replace(second=0, microsecond=0)
    made = schedules.add_schedule(
        by=alice_in_acme,
        instance=instance,
        schedule=Schedule(action="stop", at=time(stop.hour, stop.minute), days=1 << stop.weekday(), time_zone="Asia/Shanghai"),
    )
    before = (stop - instance.ready_at) / MINUTE
    look_at(instance, before - 15, before - 9.8, before - 9, before - 1.9, before - 1)
    expected = [("schedule_stops", stop.astimezone(ZoneInfo("UTC")).isoformat(), ["alice"])] * 2
    assert told() == expected
    at(instance, before + 0.2)
    schedules._fire(Schedule.objects.select_related("instance", "made_by").get(pk=made.pk), timezone.now())
    assert Use.objects.get().stop_due_at == stop
    look_at(instance, before + 5)
    assert Use.objects.get().why == "one_more_look"
    assert told() == expected


def test_an_engine_that_does_not_say_is_told_of_once_and_not_as_idle(launch, look_at, anna):
    instance = launch("--touch", "x")  # answers 404 to everything but its health
    look_at(instance, 20.2, 28.1, 30.1, 45)
    assert told() == []
    look_at(instance, 51, 52, 80)
    assert told() == [("probe_unknown", 31, ["alice", "anna"])]


def test_what_is_released_because_it_does_not_say_is_told_as_released(launch, look_at, at):
    IdleRule.objects.create(name="strict", release_unknown=True)
    instance = launch("--touch", "x")
    look_at(instance, 20.2, 51)
    assert told() == warned(10)
    at(instance, 52)
    assert marking.finish(instance.pk)
    assert told() == [*warned(10), ("idle_released", 52, ["alice"])]


# --- which warning is due ---


def due(cause=Why.IDLE, left=9.0, quiet=20.0, why=Why.USED, policy=POLICY, **known):
    due_at = NOON + left * MINUTE
    decision = Decision(False, why, due_at, due_at - quiet * MINUTE, cause=cause)
    warning = due_warning(Known(NOON - HOUR, **known), decision, policy, NOON)
    return warning and (warning.kind, warning.key.rpartition(":")[2])


@pytest.mark.parametrize(
    ("facts", "warning"),
    [
        ({"left": 10.01}, None),
        ({"left": 10}, ("idle_warning", "10")),
        ({"left": 2.01}, ("idle_warning", "10")),
        ({"left": 2}, ("idle_warning", "2")),
        ({"left": 0}, None),
        ({"left": -5, "why": Why.ONE_MORE_LOOK}, ("idle_warning", "2")),
        ({"left": -5, "why": Why.BUSY}, None),
        ({"busy_since": NOON}, None),
        ({"unknown_since": NOON}, None),
        ({"unknown_since": NOON, "policy": Policy(release_unknown=True)}, ("idle_warning", "10")),
        ({"quiet": 10, "left": 9.9}, None),  # a rule of ten minutes: whoever used it a moment ago is not warned
        ({"quiet": 10, "left": 1.9}, ("idle_warning", "2")),
        ({"quiet": 2, "left": 1.9}, None),
        ({"cause": Why.LIFE_OVER, "busy_since": NOON}, ("life_ends", "10")),
        ({"cause": Why.SCHEDULE, "busy_since": NOON}, ("schedule_stops", "10")),
        ({"cause": Why.QUEUE_EMPTY, "left": 0, "why": Why.ONE_MORE_LOOK}, None),
    ],
)
def test_a_warning_is_due(facts, warning):
    assert due(**facts) == warning


# --- how it reaches people ---


def test_the_mail_leads_to_the_page_where_one_click_keeps_it_at_its_price(launch, look_at, client, alice, gpu_class):
    set_price(gpu_class=gpu_class, per_hour=Decimal("0.36"), starts_at=NOON - timedelta(days=365))
    instance = launch()
    client.force_login(alice)
    look_at(instance, 20.2)
    assert deliver_due()
    (message,) = mail.outbox
    assert (message.to, message.subject) == (["alice@example.org"], f"“{instance.name}” will be paused in 10 minutes")
    link = f"/acme/instances/{instance.slug}/"
    assert link in message.body
    page = client.get(link).content.decode()
    assert "Keep for an hour" in page
    assert '<span class="num">USD 0.36</span> per hour</span>' in page
    assert client.post(f"{link}keep/", {"origin": "page"}).status_code == 302
    kept = Use.objects.get().keep_until
    assert abs(kept - instance.ready_at - 80.2 * MINUTE) < MINUTE / 10
    look_at(instance, 21)
    assert "Keep for an hour" not in client.get(link).content.decode()
    look_at(instance, 71)
    assert "Keep for an hour" in client.get(link).content.decode()  # the warning is due again, and so is the button


@pytest.mark.parametrize(("allowed", "shown"), [(30, "Keep for 30 minutes"), (0, None), (500, "Keep for an hour")])
def test_the_button_says_what_the_rule_allows(launch, look_at, client, alice, allowed, shown):
    IdleRule.objects.create(name="short", maximum_keep_minutes=allowed)
    instance = launch()
    client.force_login(alice)
    look_at(instance, 20.2)
    page = client.get(f"/acme/instances/{instance.slug}/").content.decode()
    assert ("Keep for" in page) == (shown is not None)
    assert shown is None or shown in page


def test_a_webhook_receives_the_warning_signed(launch, look_at, acme, anna):
    secret = new_secret()
    instance = launch()
    with receiving() as receiver:
        WebhookEndpoint.objects.create(
            tenant=acme, url=receiver.url, sealed_secret=seal(secret), created_by=anna, kinds=["idle_warning"]
        )
        look_at(instance, 20.2, 20.5)
        assert deliver_due()
    (request,) = receiver.requests
    event = Webhook(secret).verify(request.body, dict(request.headers))
    assert (event["type"], event["tenant"]) == ("instance.idle_warning", "acme")
    data = event["data"]
    assert (data["subject"], data["people"], data["context"]) == (
        instance.slug,
        ["alice"],
        {"name": instance.name, "minutes": 10},
    )
    assert data["url"].endswith(f"/acme/instances/{instance.slug}/")
