"""Warnings before a release: each once, again when its moment has moved, and none of what is off."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.core import mail
from django.utils import timezone

from billing.pricing import set_price
from engines.models import IdleRule, Instance, Schedule, Use
from engines.operations import idle, schedules
from engines.release import looking, marking
from tenants.models import Role
from tenants.notifications.models import Notification, NotificationRecipient
from tenants.notifications.outbox import deliver_due
from tests import factories
from tests.driving import drive
from tests.idle.conftest import record


def kinds() -> list[str]:
    return list(Notification.objects.order_by("created_at").values_list("kind", flat=True))


def minutes() -> list[int]:
    return [each.context["minutes"] for each in Notification.objects.filter(kind="idle_warning").order_by("created_at")]


@pytest.fixture
def idle_for(launch, look, pass_time):
    """An engine that was used so many minutes ago, past its warm-up."""

    def make(ago: float) -> Instance:
        instance = launch()
        pass_time(instance, hours=1)
        record(instance, user_at=timezone.now() - timedelta(minutes=ago))
        return instance

    return make


def test_ten_and_two_minutes_before_and_once_each(idle_for, look, pass_time):
    instance = idle_for(9)
    look(instance)
    assert minutes() == []  # eleven are left
    pass_time(instance, minutes=1)
    looking.look_at_all()
    looking.look_at_all()
    assert minutes() == [10]
    pass_time(instance, minutes=8)
    looking.look_at_all()
    looking.look_at_all()
    assert minutes() == [10, 2]
    assert {each.user.username for each in NotificationRecipient.objects.select_related("user")} == {"alice"}


def test_a_late_look_warns_of_what_is_left(idle_for, look):
    look(idle_for(15))
    assert minutes() == [5]


def test_after_a_keep_the_new_moment_is_warned_of(idle_for, look, pass_time, alice_in_acme):
    instance = idle_for(11)
    look(instance)
    idle.keep_instance(instance=instance, by=alice_in_acme, duration=timedelta(minutes=30))
    look(instance)
    assert minutes() == [9]
    pass_time(instance, minutes=22)
    look(instance)
    assert minutes() == [9, 8]


def test_use_calls_the_warning_off(idle_for, look):
    instance = idle_for(11)
    look(instance)
    record(instance, user_at=timezone.now())
    look(instance, times=2)
    assert minutes() == [9]


def test_the_mail_leads_to_where_it_can_be_kept_and_the_page_names_the_price(idle_for, look, client, alice):
    instance = idle_for(11)
    set_price(gpu_class=instance.gpu_class, per_hour=Decimal("0.36"), starts_at=timezone.now() - timedelta(days=1))
    look(instance)
    assert deliver_due()
    [message] = mail.outbox
    assert message.to == [alice.email]
    assert message.subject == f"“{instance.name}” will be paused in 9 minutes"
    path = f"/acme/instances/{instance.slug}/"
    assert path in message.body
    client.force_login(alice)
    page = client.get(path).content.decode()
    assert f"{path}keep/" in page
    assert "0.36" in page


def test_a_release_is_told_when_it_happens(idle_for, look, pass_time):
    instance = idle_for(30)
    look(instance, times=2)
    assert kinds() == ["idle_warning"]  # nobody had looked in time for an earlier one
    Notification.objects.all().delete()
    pass_time(instance, seconds=16)
    assert marking.finish(instance.pk)
    assert not marking.finish(instance.pk)
    drive(instance, "stopped")
    assert kinds() == ["idle_released"]
    assert Notification.objects.get().context == {"name": instance.name, "minutes": 31}


def test_a_life_that_ends_is_announced_however_much_it_is_used(launch, look, pass_time):
    IdleRule.objects.create(name="short", maximum_life_minutes=60, idle_minutes=20)
    instance = launch()
    pass_time(instance, minutes=52)
    record(instance, user_at=timezone.now())
    look(instance)
    use = look(instance)
    assert kinds() == ["life_ends"]
    ends_at = datetime.fromisoformat(Notification.objects.get().context["ends_at"])
    assert abs(ends_at - use.instance.ready_at - timedelta(hours=1)) < timedelta(minutes=2)


def test_a_schedule_is_announced(launch, look, pass_time, alice_in_acme):
    instance = launch()
    pass_time(instance, minutes=30)
    record(instance, user_at=timezone.now())
    stop_at = timezone.now() + timedelta(minutes=8)
    schedule = Schedule(action="stop", at=stop_at.time(), days=127, time_zone="UTC")
    schedules.add_schedule(by=alice_in_acme, instance=instance, schedule=schedule)
    look(instance)
    looking.look_at_all()
    assert kinds() == ["schedule_stops"]


def test_who_looks_after_the_team_hears_of_an_engine_that_does_not_say_whether_it_works(launch, look, pass_time, acme):
    factories.join(factories.make_user("dave"), acme, Role.ADMIN)
    factories.join(factories.make_user("carol"), acme)
    instance = launch("--touch", "x")  # answers 404 to everything but its health
    pass_time(instance, hours=1)
    look(instance)
    Use.objects.update(unknown_since=timezone.now() - timedelta(minutes=31))
    looking.look_at_all()
    looking.look_at_all()
    assert kinds() == ["probe_unknown"]
    assert set(NotificationRecipient.objects.values_list("user__username", flat=True)) == {"alice", "dave"}
