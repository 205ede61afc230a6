"""The Release tab and the team's page: what holds, in words, and schedules that come and go."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from engines.models import Cluster, IdleRule, Instance, Schedule, Use
from engines.models.idle import day_bits
from tenants.models import Role, Tenant, User
from tests import factories

SCHEDULE = {"action": "stop", "at": "20:00", "time_zone": "Europe/Berlin", "days": ["0", "1", "2", "3", "4"]}


@pytest.fixture
def page(acme: Tenant, alice: User, cluster: Cluster) -> str:
    instance: Instance = factories.make_instance(acme, alice, cluster)
    return f"/acme/instances/{instance.slug}/"


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def as_anna(client: Client, acme: Tenant) -> Client:
    anna = factories.make_user("anna")
    factories.join(anna, acme, Role.OWNER)
    client.force_login(anna)
    return client


def test_a_team_tightens_and_its_members_read_what_holds(as_anna: Client, alice: User) -> None:
    limits = {"idle_minutes": "9", "maximum_life_minutes": "90", "maximum_keep_minutes": "60"}
    assert as_anna.post("/acme/release/limits/", limits).status_code == 302
    assert IdleRule.objects.get().exempt  # it limits, and loosens nothing
    as_anna.force_login(alice)
    answer = as_anna.get("/acme/release/")
    assert answer.context["own_sentence"] == (
        "Released when it is free and nobody has used it for 9 minutes. On for at most 1.5 h at a time."
    )


def test_a_refused_limit_is_said_beside_its_field(as_anna: Client) -> None:
    answer = as_anna.post("/acme/release/limits/", {"idle_minutes": "0", "maximum_keep_minutes": "60"})
    assert answer.status_code == 422
    assert list(answer.context["tighter_form"].errors) == ["idle_minutes"]
    assert not IdleRule.objects.exists()


def test_a_schedule_comes_and_goes(as_alice: Client, page: str) -> None:
    assert as_alice.post(f"{page}schedules/", SCHEDULE | {"time_zone": "Mars/Base"}).status_code == 422
    assert as_alice.post(f"{page}schedules/", SCHEDULE).status_code == 302
    schedule = Schedule.objects.get()
    shown = as_alice.get(page, {"tab": "release"}).content.decode()
    assert "Monday to Friday" in shown
    assert 'aria-label="Remove 20:00, Monday to Friday"' in shown
    answer = as_alice.post(f"/acme/release/schedules/{schedule.pk}/remove/")
    assert (answer.status_code, answer["Location"]) == (302, f"{page}?tab=release")
    assert not Schedule.objects.exists()


@pytest.mark.parametrize(
    ("use", "words", "is_warned"),
    [
        ({"why": "used", "minutes": 29}, "released <time", False),
        ({"why": "used", "minutes": 5}, "released <time", True),
        ({"why": "busy", "minutes": -5}, "It is busy.", False),
        ({"why": "used", "minutes": 29, "when_free": True}, "released when its queue is empty", False),
    ],
)
def test_the_list_says_when_each_engine_is_released(
    as_alice: Client, page: str, use: dict[str, Any], words: str, is_warned: bool
) -> None:
    instance = Instance.objects.get()
    Instance.objects.update(state="running", run_id="run", ready_at=timezone.now())
    due = timezone.now() + timedelta(minutes=use.pop("minutes"))
    Use.objects.create(instance=instance, run_id="run", due_at=due, **use)
    shown = as_alice.get("/acme/").content.decode()
    line = shown[shown.index("instance__stay") :].split("</span>")[0]
    assert words in line
    assert ("stay__soon" in line) == is_warned


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (range(7), "every day"),
        (range(5), "Monday to Friday"),
        ([4, 5, 6], "Friday to Sunday"),
        ([5, 6], "Saturday, Sunday"),
        ([0, 1, 3], "Monday, Tuesday, Thursday"),
        ([2], "Wednesday"),
    ],
)
def test_days_are_named_briefly(days, words: str) -> None:
    assert Schedule(days=day_bits(days)).day_names == words


@pytest.mark.parametrize(("chosen", "mark"), [("UTC", 'data-zones="guess"'), ("Asia/Tokyo", 'data-zones=""')])
def test_the_browser_names_the_zone_of_whoever_never_chose_one(
    as_alice: Client, page: str, alice: User, chosen: str, mark: str
) -> None:
    alice.time_zone = chosen
    alice.save()
    assert mark in as_alice.get(page, {"tab": "release"}).content.decode()
