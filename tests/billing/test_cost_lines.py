"""From an amount to its lines, and from a line to all that it follows from."""

import re
from collections.abc import Callable
from decimal import Decimal

import pytest
import time_machine
from django.test import Client

from billing.models import BillingPeriod, Charge
from billing.operations import add_credit, close_period, set_price, settle, settle_due
from engines.models import GpuClass, Instance
from tenants.models import Tenant, User
from tests.billing.facts import BEGINNING, moment, record
from tests.billing.test_pages import page, values

NOW = moment("2026-03-10T12:20:30")


@pytest.fixture(autouse=True)
def _at_now() -> object:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def poster(make_running: Callable[..., Instance]) -> Instance:
    """alice's: 90 minutes on 5 February, and since 10:00 today."""
    poster = make_running(name="poster", tag="spring")
    record(poster, "ready", moment("2026-02-05T08:00"), run_id="first", tag="spring")
    record(poster, "ended", moment("2026-02-05T09:30"), run_id="first", tag="spring")
    record(poster, "ready", moment("2026-03-10T10:00"), run_id="second", tag="spring")
    settle(poster.pk, now=NOW)
    return poster


@pytest.fixture
def flyer(make_running: Callable[..., Instance], anna: User) -> Instance:
    flyer = make_running(name="flyer", owner=anna)
    record(flyer, "ready", moment("2026-03-10T09:00"), run_id="third")
    record(flyer, "ended", moment("2026-03-10T09:10"), run_id="third")
    settle(flyer.pk, now=NOW)
    return flyer


def numbers(html: str) -> list[int]:
    return [int(each) for each in re.findall(r'<a href="/acme/costs/lines/([0-9]+)/">', html)]


def test_lines_add_up_to_the_amount(client: Client, anna: User, poster: Instance, flyer: Instance) -> None:
    html = page(client, anna, "/acme/costs/lines/")
    total, *lines = values(html)
    assert lines == ["0.416666667", "2.500000000", "2.500000000"]
    assert Decimal(total) == sum(map(Decimal, lines))
    assert re.search(r"Estimated beside it, not in the books yet</dt>\s*<dd class=\"num\">USD 0.854166667<", html)
    assert "2026-03-10 12:20:30 UTC" in html


def test_small_screens_keep_the_amount(client: Client, anna: User, poster: Instance) -> None:
    heads = re.findall(r'<th scope="col"(?: class="([a-z ]+)")?>([^<]+)</th>', page(client, anna, "/acme/costs/lines/"))
    assert [head for classes, head in heads if "wide" not in classes] == ["Line", "From (UTC)", "What", "Amount"]


def test_lines_of_a_filter(client: Client, anna: User, poster: Instance, flyer: Instance) -> None:
    assert values(page(client, anna, "/acme/costs/lines/?user=anna")) == ["0.416666667"] * 2
    assert values(page(client, anna, f"/acme/costs/lines/?instance={poster.slug}&window=lastmonth")) == [
        *("3.750000000", "2.500000000", "1.250000000")
    ]
    assert "No line fits" in page(client, anna, "/acme/costs/lines/?window=lastmonth&user=anna")


def test_member_sees_their_own_lines_whatever_is_asked(client: Client, alice: User, poster: Instance, flyer: Instance) -> None:
    own = set(Charge.objects.filter(instance=poster).values_list("pk", flat=True))
    html = page(client, alice, "/acme/costs/lines/?window=365d")
    assert set(numbers(html)) == own
    assert "flyer" not in html
    assert numbers(page(client, alice, "/acme/costs/lines/?window=365d&user=anna")) == []
    assert numbers(page(client, alice, "/acme/costs/lines/?window=365d&filter=user!:%22alice%22")) == []


def test_line_is_found_by_whom_it_concerns(client: Client, bob: User, acme: Tenant, poster: Instance, flyer: Instance) -> None:
    alice, anna = poster.owner, flyer.owner
    foreign = Charge.objects.get(instance=flyer)
    own = Charge.objects.filter(instance=poster).first()
    credit = add_credit(tenant=acme, amount=Decimal(2), reason="Outage", now=NOW)
    for line in (foreign, credit):
        page(client, anna, f"/acme/costs/lines/{line.pk}/")
        page(client, alice, f"/acme/costs/lines/{line.pk}/", status=404)
    page(client, alice, f"/acme/costs/lines/{own.pk}/")
    for tenant in ("acme", "bolt"):
        page(client, bob, f"/{tenant}/costs/lines/{own.pk}/", status=404)
    for number in (0, 2**31, 2**63, 10**30):
        page(client, anna, f"/acme/costs/lines/{number}/", status=404)


def test_line_proves_itself(client: Client, alice: User, poster: Instance) -> None:
    line = Charge.objects.get(instance=poster, ends_at=moment("2026-02-05T09:30"))
    html = page(client, alice, f"/acme/costs/lines/{line.pk}/")
    assert "2.50 × 1 × 1800 ÷ 3600 = 1.25" in html
    assert values(html) == ["1.250000000"]
    for said in (
        *("2026-02-05 09:00:00", "2026-02-05 09:30:00"),  # the line
        *("2026-02-05 08:00:00", "ready", "ended", "cluster"),  # the use, and what was seen
        *("Run first.", "list price, for everybody", "2020-01-01 00:00:00", f">{line.price_id}<"),
        *("spring", "H100", "poster", str(line.line_key), "2026-02 (open)"),
        f"/acme/costs/{poster.slug}/",
    ):
        assert said in html
    assert "2026-03-10 10:00:00" not in html  # another run


def test_line_that_was_corrected_tells_its_story(client: Client, anna: User, acme: Tenant, poster: Instance) -> None:
    close_period(period=BillingPeriod.objects.get(tenant=acme, month="2026-02-01"), now=NOW)
    record(poster, "ended", moment("2026-02-05T09:10"), run_id="first", source="operator", tag="spring")
    settle(poster.pk, now=NOW)
    original, reversal, replacement = Charge.objects.filter(instance=poster, day="2026-02-05", starts_at__hour=9).order_by("pk")
    html = page(client, anna, f"/acme/costs/lines/{replacement.pk}/")
    assert numbers(html) == [original.pk, reversal.pk, replacement.pk]
    assert "2.50 × 1 × 600 ÷ 3600 = 0.416666667" in html
    assert html.count(">correction<") == 1
    assert "operator" in html
    listed = page(client, anna, "/acme/costs/lines/?window=lastmonth&corrections=1")
    assert numbers(listed) == [reversal.pk, replacement.pk]
    assert values(listed) == ["-0.833333333", "-1.250000000", "0.416666667"]


def test_line_that_somebody_entered_says_why(client: Client, anna: User, acme: Tenant) -> None:
    credit = add_credit(tenant=acme, amount=Decimal("1.50"), reason="Outage on 9 March", now=NOW)
    html = page(client, anna, f"/acme/costs/lines/{credit.pk}/")
    assert "Outage on 9 March" in html
    assert "What was seen" not in html
    assert values(html) == ["-1.500000000"]


def test_others_use_of_the_same_engine_is_not_shown(client: Client, alice: User, anna: User, poster: Instance) -> None:
    """The engine changed hands within the hour of the line."""
    Instance.objects.filter(pk=poster.pk).update(owner=anna)
    poster.refresh_from_db()
    record(poster, "ready", moment("2026-02-05T09:40"), run_id="of anna")
    record(poster, "ended", moment("2026-02-05T09:50"), run_id="of anna")
    settle(poster.pk, now=NOW)
    line = Charge.objects.get(instance=poster, run_id="first", ends_at=moment("2026-02-05T09:30"))
    html = page(client, alice, f"/acme/costs/lines/{line.pk}/").partition("<main")[2]
    assert "anna" not in html
    assert "09:40" not in html


def test_list_price_stands_beside(client: Client, anna: User, acme: Tenant, h100: GpuClass, poster: Instance) -> None:
    set_price(gpu_class=h100, tenant=acme, per_hour=Decimal("2.00"), starts_at=BEGINNING)
    settle_due(now=NOW)
    line = Charge.objects.filter(instance=poster, kind="original", per_hour=2).first()
    html = page(client, anna, f"/acme/costs/lines/{line.pk}/")
    assert "this team’s own" in html
    assert "USD 2.00" in html
    assert "USD 2.50" in html


def test_parts_of_a_long_list_join(client: Client, anna: User, poster: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.pages.lines.PAGE", 3)
    expected = list(Charge.objects.order_by("starts_at", "pk").values_list("pk", flat=True))
    first = page(client, anna, "/acme/costs/lines/?window=90d")
    further = re.search(r'href="(\?window=90d&amp;after=[0-9]+)"', first)
    assert further is not None
    second = page(client, anna, "/acme/costs/lines/" + further[1].replace("&amp;", "&"))
    assert numbers(first) + numbers(second) == expected
    assert values(first)[0] == values(second)[0] == "8.750000000"  # of all of them
    assert "Further lines" not in second


def test_lines_are_taken_along_as_they_are_filtered(client: Client, alice: User, anna: User, poster: Instance) -> None:
    html = page(client, anna, "/acme/costs/lines/?window=lastmonth&user=alice&filter=project!:%22%22")
    wanted = re.search(r'href="(/acme/costs/exports/\?[^"]*)"', html)
    assert wanted is not None
    form = page(client, anna, wanted[1].replace("&amp;", "&"))
    for value in ("2026-02-01", "2026-02-28", "user:&quot;alice&quot;+project!:&quot;&quot;"):
        assert f'value="{value}"' in form
    assert "/acme/costs/exports/?" not in page(client, anna, "/acme/costs/lines/?corrections=1")
    assert "/acme/costs/exports/?" not in page(client, anna, "/acme/costs/lines/?project=%22")
    assert "/acme/costs/exports/" not in page(client, alice, "/acme/costs/lines/")


@pytest.mark.parametrize("after", ["x", "0", "-1", "1e3", "9" * 40, "٣"])
def test_place_to_go_on_from_that_is_none(client: Client, anna: User, poster: Instance, after: str) -> None:
    assert "There is no such line to go on from." in page(client, anna, f"/acme/costs/lines/?after={after}", status=400)


def test_nobody_goes_on_from_others_lines(client: Client, alice: User, poster: Instance, flyer: Instance) -> None:
    foreign = Charge.objects.get(instance=flyer)
    page(client, alice, f"/acme/costs/lines/?after={foreign.pk}", status=400)
