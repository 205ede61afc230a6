"""What the page of insights tells, to whom, and from which records."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.accounts import calendar_of
from billing.insights.gathering import Known, gather
from billing.insights.report import Report, report
from billing.insights.waste import Cause
from billing.models import Price
from billing.operations import set_price, set_storage_price, settle, settle_due
from billing.windows import parse
from engines.models import Engine, EngineVersion, GpuClass, IdleRule, Instance, InstanceEvent, PictureCount, UseSpan, VolumeFact
from engines.reasons import Reason
from tenants.models import Membership, Tenant, User
from tests import factories
from tests.billing.facts import BEGINNING, moment, record

NOW = moment("2026-03-10T20:00:00")  # a Tuesday
HOUR = 3600


@pytest.fixture(autouse=True)
def _at_now() -> object:
    with time_machine.travel(NOW, tick=False):
        yield


def used(instance: Instance, run_id: str, *spans: tuple[str, str], kind: str = "user") -> None:
    for began_at, ended_at in spans:
        UseSpan.objects.create(instance=instance, run_id=run_id, kind=kind, began_at=moment(began_at), ended_at=moment(ended_at))


def there_since(instance: Instance, at: str) -> None:
    Instance.objects.filter(pk=instance.pk).update(created_at=moment(at))


def ran(instance: Instance, run_id: str, started: str, ready: str, ended: str) -> None:
    for kind, at in (("started", started), ("ready", ready), ("ended", ended)):
        record(instance, kind, moment(at), run_id=run_id)
    settle(instance.pk, now=NOW)


@pytest.fixture
def poster(instance: Instance) -> Instance:
    """There since the 9th, 20:00; ran on the 10th from 10:00 to 14:00, and was used from 10:00 to 10:30 and 12:00 to 12:30."""
    there_since(instance, "2026-03-09T20:00:00")
    ran(instance, "a", "2026-03-10T09:58:00", "2026-03-10T10:00:00", "2026-03-10T14:00:00")
    used(instance, "a", ("2026-03-10T10:00:00", "2026-03-10T10:29:00"), ("2026-03-10T12:00:00", "2026-03-10T12:29:00"))
    return instance


def known_of(user: User, tenant: Tenant, window: str = "7d") -> Known | None:
    membership = Membership.objects.get(user=user, tenant=tenant)
    calendar = calendar_of(tenant)
    return gather(membership, parse(window, calendar, NOW), calendar, now=NOW)


def found_by(user: User, tenant: Tenant, window: str = "7d") -> Report:
    known = known_of(user, tenant, window)
    assert known is not None
    return report(known)


def page(client: Client, user: User, query: str = "?window=7d", status: int = 200) -> str:
    client.force_login(user)
    response = client.get(f"/acme/costs/insights/{query}")
    assert response.status_code == status
    return response.content.decode()


def test_pausing_saved_what_was_not_on(poster: Instance, anna: User, acme: Tenant) -> None:
    """24 hours, of which 4 were charged."""
    found = found_by(anna, acme).time_sharing
    assert found is not None
    assert (found.whole.always_on, found.whole.paid, found.whole.amount) == (Decimal(60), Decimal(10), Decimal(50))
    assert found.formulas == ["H100: 2.50 × (86400 s − 14400 s) ÷ 3600 = USD 50.00"]


def test_idle_time_has_its_causes(poster: Instance, anna: User, acme: Tenant) -> None:
    found = found_by(anna, acme).waste
    assert found is not None
    assert {part.cause: part.seconds for part in found.parts} == {
        Cause.OFF_HOURS: 0,
        Cause.TAIL: 90 * 60,
        Cause.LONG_GAP: 90 * 60,
        Cause.SHORT_GAP: 0,
    }
    assert (found.charged_seconds, found.active_seconds, found.amount) == (4 * HOUR, HOUR, Decimal("7.5"))
    assert (found.starting_seconds, found.starting_worth) == (120, Decimal("0.083333333"))
    assert found.formulas == ["H100: 2.50 × (14400 s − 3600 s) ÷ 3600 = USD 7.50"]


def test_an_hour_of_use_costs_more_than_an_hour(poster: Instance, anna: User, acme: Tenant) -> None:
    [found] = found_by(anna, acme).active
    assert (found.active_percent, found.per_hour, found.per_active_hour) == (25, Decimal("2.5"), Decimal(10))
    assert found.formula == "H100: USD 10.00 × 3600 ÷ 3600 s = USD 10.00"


def test_the_past_is_played_again(poster: Instance, anna: User, acme: Tenant) -> None:
    """One gap of 91 minutes, after which somebody came back, and 91 at the end; a start takes two."""
    IdleRule.objects.create(name="all", idle_minutes=25, warm_up_minutes=0)
    found = found_by(anna, acme).pausing
    assert found is not None
    assert (found.runs, found.start_seconds, found.is_start_measured, found.present_minutes) == (1, 120, True, 25)
    by_minutes = {choice.minutes: (choice.saved_seconds, choice.resumes) for choice in found.choices}
    assert (by_minutes[2], by_minutes[25], by_minutes[120]) == ((176 * 60, 1), (130 * 60, 1), (0, 0))
    assert found.best is not None
    assert (found.best.minutes, found.best.amount) == (2, Decimal("7.333333333"))
    assert found.formulas == ["T = 2 min: 10680 s − 120 s × 1 = 10560 s, USD 7.333333333"]


def test_a_team_s_own_rule_is_the_one_in_force(poster: Instance, anna: User, acme: Tenant) -> None:
    IdleRule.objects.create(name="own", tenant=acme, author=IdleRule.Author.TENANT, idle_minutes=7)
    assert getattr(found_by(anna, acme).pausing, "present_minutes", None) == 7
    IdleRule.objects.update(exempt=True, author=IdleRule.Author.OPERATOR)
    assert getattr(found_by(anna, acme).pausing, "present_minutes", 0) is None


def was_released(instance: Instance, run_id: str) -> None:
    InstanceEvent.objects.create(instance=instance, kind="wish", reason=Reason.IDLE_RELEASED, run_id=run_id, at=NOW, generation=1)


def test_releases_for_idleness_have_saved_what_came_after(poster: Instance, anna: User, acme: Tenant, client: Client) -> None:
    assert found_by(anna, acme).realised is None  # somebody paused it
    assert "Saved by releasing idle engines" not in page(client, anna)
    was_released(poster, "a")
    found = found_by(anna, acme).realised
    assert found is not None
    assert (found.releases, found.seconds, found.amount) == (1, 6 * HOUR, Decimal(15))
    assert found.formulas == ["H100: n = 1; 2.50 × 21600 s ÷ 3600 = USD 15.00"]
    html = page(client, anna)
    assert '<data value="15.000000000" title="USD 15.00"><span class="total">USD 15.00</span>' in html
    assert "H100: n = 1; 2.50 × 21600 s ÷ 3600 = USD 15.00" in html
    ran(poster, "b", "2026-03-10T15:30:00", "2026-03-10T15:40:00", "2026-03-10T16:00:00")
    again = found_by(anna, acme).realised
    assert again is not None
    assert again.seconds == 90 * 60  # until it was started
    assert found_by(anna, acme, "2026-03-01,2026-03-10").realised is None


def test_releases_are_claimed_until_the_engine_was_deleted(poster: Instance, anna: User, acme: Tenant) -> None:
    was_released(poster, "a")
    Instance.objects.filter(pk=poster.pk).update(state="deleted", deleted_at=moment("2026-03-10T15:00:00"))
    found = found_by(anna, acme).realised
    assert found is not None
    assert (found.seconds, found.amount) == (HOUR, Decimal("2.5"))


def test_members_claim_their_own_releases(
    poster: Instance, make_running: Callable[..., Instance], anna: User, alice: User, acme: Tenant
) -> None:
    flyer = make_running(name="flyer", owner=anna)
    there_since(flyer, "2026-03-10T00:00:00")
    ran(flyer, "b", "2026-03-10T12:59:00", "2026-03-10T13:00:00", "2026-03-10T19:00:00")
    for instance, run_id in ((poster, "a"), (flyer, "b")):
        was_released(instance, run_id)
    own, everybody = (found_by(user, acme).realised for user in (alice, anna))
    assert own is not None
    assert everybody is not None
    assert (own.releases, own.seconds) == (1, 6 * HOUR)
    assert (everybody.releases, everybody.seconds) == (2, 7 * HOUR)


def test_pools_are_those_of_all(
    poster: Instance, make_running: Callable[..., Instance], anna: User, alice: User, acme: Tenant
) -> None:
    flyer = make_running(name="flyer", owner=anna)
    there_since(flyer, "2026-03-10T00:00:00")
    ran(flyer, "b", "2026-03-10T13:00:00", "2026-03-10T13:00:00", "2026-03-10T15:00:00")
    [found] = found_by(anna, acme).pools
    assert (found.pool.instances, found.pool.peak, found.pool.used_seconds) == (2, 2, 6 * HOUR)
    assert found.formula == ("H100: 2 ÷ 2 = 1.00; 2.50 × 2 × 590400 s ÷ 3600 = USD 820.00; 21600 s ÷ (2 × 590400 s) = 0.0183")
    assert found_by(alice, acme).pools == []


def test_members_learn_of_their_own(
    poster: Instance, make_running: Callable[..., Instance], anna: User, alice: User, acme: Tenant, client: Client
) -> None:
    flyer = make_running(name="flyer", owner=anna)
    there_since(flyer, "2026-03-10T00:00:00")
    ran(flyer, "b", "2026-03-10T12:59:00", "2026-03-10T13:00:00", "2026-03-10T15:00:00")
    assert [each.charged_seconds for each in found_by(alice, acme).active] == [4 * HOUR]
    assert [each.charged_seconds for each in found_by(anna, acme).active] == [6 * HOUR]
    own, everybody = (found_by(user, acme).pausing for user in (alice, anna))
    assert own is not None
    assert everybody is not None
    assert (own.runs, everybody.runs) == (1, 2)
    assert "<h1>My costs</h1>" in page(client, alice)
    assert "your own" in page(client, alice)
    assert "<h1>Costs</h1>" in page(client, anna)
    assert "Pooling" not in page(client, alice)
    assert "Pooling" in page(client, anna)


def test_strangers_find_nothing(poster: Instance, bob: User, client: Client) -> None:
    assert "poster" not in page(client, bob, status=404)


def test_of_a_window_only_what_lies_in_it(poster: Instance, anna: User, acme: Tenant) -> None:
    """Use after its end tells that the engine was not left alone."""
    with time_machine.travel(moment("2026-03-10T11:00:00"), tick=False):
        calendar = calendar_of(acme)
        now = moment("2026-03-10T11:00:00")
        membership = Membership.objects.get(user=anna, tenant=acme)
        known = gather(membership, parse("today", calendar, now), calendar, now=now)
    assert known is not None
    found = report(known).waste
    assert found is not None
    assert {part.cause: part.seconds for part in found.parts if part.seconds} == {Cause.LONG_GAP: 30 * 60}


def test_storage_of_the_long_paused(instance: Instance, anna: User, acme: Tenant) -> None:
    """100 GiB, used last on 1 January: of the week, all days are more than thirty days later."""
    set_storage_price(per_hour=Decimal("0.001"), starts_at=BEGINNING)
    there_since(instance, "2025-12-31T00:00:00")
    volume = instance.volume
    type(volume).objects.filter(pk=volume.pk).update(created_at=moment("2025-12-31"), size_gib=100)
    VolumeFact.objects.create(
        volume=volume, kind="provisioned", source="cluster", at=moment("2025-12-31"), observed_at=moment("2025-12-31"),
        tenant=acme, owner=instance.owner, size_gib=100,
    )  # fmt: skip
    ran(instance, "a", "2026-01-01T10:00:00", "2026-01-01T10:00:00", "2026-01-01T11:00:00")
    settle_due(now=NOW)
    found = found_by(anna, acme).waste
    assert found is not None
    [stored] = found.stored
    assert (stored.volume, stored.used_at) == (volume, moment("2026-01-01T11:00:00"))
    assert stored.amount == Decimal("14.4")  # the six days that are over
    record(instance, "ready", moment("2026-03-10T19:00:00"), run_id="b")
    settle(instance.pk, now=NOW)
    lasting = found_by(anna, acme).waste
    assert lasting is not None
    assert lasting.stored == []


def test_other_classes_are_told_and_none_is_advised(
    poster: Instance, anna: User, acme: Tenant, gpu_class: GpuClass, client: Client
) -> None:
    l40s, hidden = (
        factories.make_gpu_class(slug, name=slug.upper(), memory_mib=46068, vendor="nvidia", hidden=slug == "old")
        for slug in ("l40s", "old")
    )
    for other in (l40s, hidden):
        set_price(gpu_class=other, per_hour=Decimal("1.20"), starts_at=BEGINNING)
    GpuClass.objects.filter(pk=poster.gpu_class_id).update(vendor="nvidia")
    [few] = found_by(anna, acme).sizing
    assert not few.is_enough_known
    assert "Below 20 hours nothing is said." in page(client, anna)
    ran(poster, "b", "2026-03-08T00:00:00", "2026-03-08T00:00:00", "2026-03-09T00:00:00")
    used(poster, "b", ("2026-03-08T00:00:00", "2026-03-09T00:00:00"), kind="work")
    [found] = found_by(anna, acme).sizing
    assert found.is_enough_known
    [size] = found.sizes
    assert (size.other.name, size.break_even_active, size.slowest_that_saves) == ("L40S", Decimal("2.083"), Decimal("1.771"))
    assert (size.fits, size.ratio, size.is_advised) == (None, None, False)
    html = page(client, anna)
    assert "so it recommends none" in html
    assert "H100, L40S: 2.50 ÷ 1.20 = 2.083; 0.85 × 2.50 ÷ 1.20 = 1.771; " in html


def test_the_page_says_it_all(poster: Instance, anna: User, client: Client) -> None:
    html = page(client, anna)
    assert 'aria-current="page">Insights</a>' in html
    for text in ("USD 50.00", "83.3 %", "USD 7.50", "USD 10.00", "Paused after", "Not told by these engines"):
        assert text in html
    assert "2.50 × (86400 s − 14400 s) ÷ 3600 = USD 50.00" in html
    assert html.count('class="evidence"') == 6


def test_a_picture_costs_what_the_time_of_its_engine_cost(
    poster: Instance, make_running: Callable[..., Instance], anna: User, acme: Tenant, client: Client
) -> None:
    """Four hours, and four pictures; the other engine does not tell, and counts for nothing."""
    other = make_running(name="flyer")
    ran(other, "b", "2026-03-10T09:00:00", "2026-03-10T09:00:00", "2026-03-10T10:00:00")
    Engine.objects.update(family="comfyui")
    EngineVersion.objects.filter(instances=other).update(activity={"probe": {"kind": "gradio"}})
    for hour, pictures in ((10, 1), (12, 3)):
        at = moment(f"2026-03-10T{hour}:00:00")
        PictureCount.objects.create(instance=poster, run_id="a", hour_at=at, jobs=1, pictures=pictures)
    PictureCount.objects.create(instance=poster, run_id="of old", hour_at=at, jobs=1, pictures=99)
    [found] = found_by(anna, acme).active
    assert (found.pictures, found.per_picture) == (4, Decimal("2.5"))
    assert found.picture_formula == "H100: USD 10.00 ÷ 4 = USD 2.50"
    assert "USD 10.00 ÷ 4 = USD 2.50" in page(client, anna)


def test_engines_that_cannot_say_are_named(poster: Instance, anna: User, client: Client) -> None:
    Engine.objects.update(family="comfyui")
    assert "cannot say whether it works" not in page(client, anna)
    Engine.objects.update(family="http", name="Paint box")
    assert "Paint box cannot say whether it works." in page(client, anna)


@pytest.mark.parametrize("window", ["7d", "30d", "month", "lastmonth", "nonsense", ""])
def test_nothing_to_learn_from_is_said(window: str, anna: User, acme: Tenant, client: Client) -> None:
    html = page(client, anna, f"?window={window}")
    assert "There is nothing to learn from yet" in html
    assert ("“nonsense” cannot be chosen here" in html) == (window == "nonsense")


def test_a_missing_price_is_said(poster: Instance, anna: User, client: Client, gpu_class: GpuClass) -> None:
    Instance.objects.filter(pk=poster.pk).update(gpu_class=gpu_class)
    html = page(client, anna)
    assert f"No price is set for {gpu_class.name}" in html
    assert "USD 7.50" in html


def test_a_price_of_nothing_is_a_price(instance: Instance, anna: User, acme: Tenant, h100: GpuClass, client: Client) -> None:
    set_price(gpu_class=h100, per_hour=Decimal(0), starts_at=moment("2026-03-01"))
    assert Price.objects.count() == 2
    there_since(instance, "2026-03-09T20:00:00")
    ran(instance, "a", "2026-03-10T09:58:00", "2026-03-10T10:00:00", "2026-03-10T14:00:00")
    found = found_by(anna, acme)
    assert found.time_sharing is not None
    assert (found.time_sharing.whole.rate, found.active[0].per_active_hour) == (None, None)
    assert "USD 0.00" in page(client, anna)


def test_use_that_is_not_kept_any_more_is_not_told(poster: Instance, anna: User, acme: Tenant) -> None:
    known = known_of(anna, acme, "200d")
    assert known is not None
    assert known.window.starts_at == NOW - timedelta(days=65)
    assert known_of(anna, acme, "7d offset 80d") is None


def test_queries_do_not_grow_with_instances(
    poster: Instance, make_running: Callable[..., Instance], anna: User, acme: Tenant
) -> None:
    with CaptureQueriesContext(
        connection,
    ) as few:
        found_by(anna, acme)
    for number in range(4):
        other = make_running(name=f"flyer {number}")
        there_since(other, "2026-03-09T20:00:00")
        ran(other, f"b{number}", "2026-03-10T09:58:00", "2026-03-10T10:00:00", "2026-03-10T14:00:00")
        used(other, f"b{number}", ("2026-03-10T10:00:00", "2026-03-10T10:29:00"))
        was_released(other, f"b{number}")
    with CaptureQueriesContext(connection) as many:
        found_by(anna, acme)
    assert len(many) == len(few) <= 22
