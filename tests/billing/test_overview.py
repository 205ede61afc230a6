"""What the overview of costs says, to the last digit, to whom, and what it asks the database."""

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from itertools import chain

import pytest
import time_machine
from django.db import connection
from django.db.models import Sum
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.accounts import calendar_of
from billing.allocation import charges
from billing.forecast import forecast
from billing.models import BillingPeriod, Budget, Charge
from billing.money import Money
from billing.operations import add_credit, close_period, set_price, set_storage_price, set_terms, settle, settle_due
from billing.pages.dashboard import Dashboard, dashboard
from billing.pages.figures import Figures
from billing.pages.wanted import read
from billing.queries import visible_to
from engines.models import GpuClass, Instance, VolumeFact
from engines.volume_facts import note_volume
from tenants.models import Membership, Tenant, User
from tests import factories
from tests.billing.facts import BEGINNING, moment, record
from tests.billing.test_pages import page, values

NOW = moment("2026-03-10T12:20:30")


@pytest.fixture(autouse=True)
def _at_now() -> object:
    with time_machine.travel(NOW, tick=False):
        yield


def ran(instance: Instance, start: str, end: str = "") -> None:
    """One run; without an end it lasts."""
    record(instance, "ready", moment(start), run_id=f"{instance.name} {start}", tag=instance.tag)
    if end:
        record(instance, "ended", moment(end), run_id=f"{instance.name} {start}", tag=instance.tag)
    settle(instance.pk, now=NOW)


@pytest.fixture
def books(make_running: Callable[..., Instance], acme: Tenant, anna: User) -> Instance:
    """acme: alice's poster, 3 h in February, 1 h on 4 March, and since 10:00 today; anna's flyer, 10 min; a credit of 1.50."""
    poster = make_running(name="poster")
    ran(poster, "2026-02-05T08:00", "2026-02-05T10:00")
    ran(poster, "2026-02-20T08:00", "2026-02-20T09:00")
    ran(poster, "2026-03-04T08:00", "2026-03-04T09:00")
    ran(poster, "2026-03-10T10:00")
    flyer = make_running(name="flyer", owner=anna, tag="spring")
    ran(flyer, "2026-03-09T09:00", "2026-03-09T09:10")
    add_credit(tenant=acme, amount=Decimal("1.50"), reason="Outage", now=NOW)
    return poster


def board_of(person: User, /, *, now: datetime = NOW, **asked: str) -> Dashboard:
    membership = Membership.objects.select_related("tenant").get(user=person)
    calendar = calendar_of(membership.tenant)
    wanted = read(asked, calendar, now, is_own=membership.role == "member")
    return dashboard(membership, wanted, calendar, now=now)


def rows(board: Dashboard) -> list[tuple[str, str, str]]:
    return [(row.label, str(row.figures.booked), str(row.figures.estimated_amount)) for row in board.rows]


def test_owner_reads_what_everybody_spent(client: Client, anna: User, books: Instance) -> None:
    html = page(client, anna, "/acme/costs/")
    assert values(html) == [
        "7.270833334",  # in short
        *("8.354166667", "0.416666667", "-1.500000000", "7.270833334"),  # alice, anna, the credit, total
    ]
    assert "of which USD 0.85 estimated: engines that run now, not in the books yet" in html
    assert "41.7 %" in html  # 2.92 on 1 to 9 March against 5.00 on 1 to 9 February
    assert "2026-02-01 – 2026-02-09: USD 5.00; whole days, without today" in html
    assert "USD 2.50 an hour on average" in html
    assert ">3.17<" in html
    assert "2026-03-10 12:20:30" in html
    assert "Days and months are those of UTC" in html


def test_member_reads_their_own_alone(client: Client, alice: User, books: Instance) -> None:
    html = page(client, alice, "/acme/costs/")
    assert values(html) == ["8.354166667"] * 3  # in short, the one instance, total
    assert "<h1>My costs</h1>" in html
    for foreign in ("flyer", "anna", "Outage", "Corrections this month", "List prices"):
        assert foreign not in html
    assert 'title="USD 5.854166667">USD 5.85<' in html  # today


@pytest.mark.parametrize("below", ["", "month/", "lines/", "lines/{line}/", "?user=alice"])
def test_stranger_finds_nothing(client: Client, bob: User, books: Instance, below: str) -> None:
    address = f"/acme/costs/{below}"
    html = page(client, bob, address.format(line=Charge.objects.first().pk), status=404)
    assert "poster" not in html
    client.logout()
    response = client.get(address.format(line=1))
    assert (response.status_code, response["Location"].split("?")[0]) == (302, "/accounts/login/")


@pytest.mark.parametrize("window", ["month", "lastmonth", "2026-02-05,2026-03-05", "2026-02-01,2026-04-01"])
@pytest.mark.parametrize("more", [{}, {"user": "alice"}, {"filter": 'tag!:"spring"'}, {"category": "credit"}])
def test_numbers_are_those_of_the_lines(anna: User, books: Instance, window: str, more: dict[str, str]) -> None:
    membership = Membership.objects.select_related("tenant").get(user=anna)
    calendar = calendar_of(membership.tenant)
    for by in ("user", "gpu_class", "instance", "engine", "category", "project"):
        wanted = read({"by": by, "window": window, **more}, calendar, NOW, is_own=False)
        board = dashboard(membership, wanted, calendar, now=NOW)
        lines = charges(visible_to(membership), wanted.asked(wanted.window), calendar)
        assert board.total.booked == lines.aggregate(total=Sum("amount", default=Decimal(0)))["total"]
        assert sum(row.figures.booked for row in board.rows) == board.total.booked
        assert sum(row.figures.estimated_amount for row in board.rows) == board.total.estimated_amount


@pytest.mark.parametrize("more", [{}, {"user": "alice"}, {"stack": "user"}, {"stack": "category"}, {"instance": "poster"}])
def test_columns_and_line_are_those_of_the_lines(anna: User, books: Instance, more: dict[str, str]) -> None:
    more = {name: books.slug if value == "poster" else value for name, value in more.items()}
    board = board_of(anna, **more)
    found = Charge.objects.all()
    if "user" in more or "instance" in more:
        found = found.filter(instance=books)
    by_month = {day: sum(c.amount for c in found if (c.day.year, c.day.month) == day) for day in [(2026, 2), (2026, 3)]}
    columns = board.months.columns
    assert [(c.total - c.estimated).amount for c in columns] == [Decimal(0)] * 10 + [by_month[2026, 2], by_month[2026, 3]]
    by_day = {str(each): sum(c.amount for c in found if c.day == each) for each in {c.day for c in found}}
    points = {point.address.partition("window=")[2][:10]: (point.amount - point.estimated).amount for point in board.days.points}
    assert len(points) == 31
    assert {day: amount for day, amount in points.items() if amount} == {
        day: amount for day, amount in by_day.items() if amount and day >= "2026-02-08"
    }


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"user": "anna"}, [("anna", "0.416666667", "0")]),
        ({"user": "nobody"}, []),
        ({"gpu_class": "h100"}, [("alice", "7.500000000", "0.854166667"), ("anna", "0.416666667", "0")]),
        ({"category": "credit"}, [("Credits, adjustments and taxes", "-1.500000000", "0")]),
        ({"category": "storage"}, []),
        ({"project": "spring", "by": "project"}, [("spring", "0.416666667", "0")]),
        ({"filter": 'user:""', "by": "instance"}, [("Storage, credits and taxes", "-1.500000000", "0")]),
        ({"window": "lastmonth"}, [("alice", "7.500000000", "0")]),
        ({"by": "gpu_class"}, [("H100", "7.916666667", "0.854166667"), ("Storage, credits and taxes", "-1.500000000", "0")]),
        ({"by": "engine", "category": "gpu"}, [("Double", "7.916666667", "0.854166667")]),
    ],
)
def test_filters(anna: User, books: Instance, asked: dict[str, str], found: list[tuple[str, str, str]]) -> None:
    board = board_of(anna, **asked)
    assert [row for row in rows(board) if row[1:] != ("0", "0")] == found


def test_table_leads_to_what_each_amount_is_made_of(client: Client, anna: User, books: Instance) -> None:
    html = page(client, anna, "/acme/costs/?window=month")
    assert '<a href="?window=month&amp;user=alice">alice</a>' in html
    assert 'href="/acme/costs/lines/?window=month&amp;user=alice"' in html
    assert 'href="/acme/costs/lines/?window=month&amp;filter=user%3A%22%22"' in html


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("window=someday", "“someday” names no days."),
        ("window=2026-04-01,2026-05-01", "These days are still to come."),
        ("from=2016-01-01&until=2026-02-01", "At most 1100 days can be shown at once."),
        ("from=2026-02-05&until=2026-02-01", "The last of these days is before the first."),
        ("by=colour", "There is no “colour” to choose for “by”."),
        ("category=fun", "There is no “fun” to choose for “category”."),
        ("filter=nonsense", "“nonsense” is no filter."),
        ("filter=colour:%22red%22", "Costs cannot be told apart by “colour”."),
        ("currency=euro", "A currency is three capital letters"),
        ("project=%00", "This is too long, or not a text."),
        (f"instance={'x' * 300}", "This is too long, or not a text."),
    ],
)
@pytest.mark.parametrize("address", ["/acme/costs/", "/acme/costs/lines/"])
def test_what_cannot_be_answered_is_said_and_nothing_is_lost(
    client: Client, anna: User, books: Instance, address: str, query: str, sentence: str
) -> None:
    html = page(client, anna, f"{address}?{query}&user=alice&corrections=1&prices=list", status=400)
    assert sentence in html
    assert '<option value="alice" selected>' in html
    assert 'name="corrections" value="1" checked' in html
    assert '<input type="hidden" name="prices" value="list">' in html
    assert values(html) == []


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ("from=2026-02-05&until=2026-02-20&window=month", "2026-02-05 – 2026-02-20"),
        ("from=2026-02-05", "2026-02-05"),
        ("until=2026-02-20", "2026-02-20"),
        ("from=2026-02-01&until=2026-02-28", "February 2026"),
    ],
)
def test_any_days_can_be_chosen(client: Client, anna: User, books: Instance, query: str, days: str) -> None:
    html = page(client, anna, f"/acme/costs/?{query}")
    assert f'<h2 id="divided">{days}</h2>' in html
    assert re.search(rf'<option value="2026-02-\d\d,2026-0[23]-\d\d" selected>{days}</option>', html)
    assert "from=" not in html.partition("<main")[2]


@pytest.mark.parametrize(
    "query", ["from=2199-12-01&until=2200-01-01", "from=1999-12-31", "from=soon&until=2026-02-01", "until=x"]
)
def test_days_that_are_none_are_refused(client: Client, anna: User, books: Instance, query: str) -> None:
    assert "names no days." in page(client, anna, f"/acme/costs/?{query}", status=400)


def test_everything_that_is_wrong_is_said_at_once(client: Client, anna: User) -> None:
    html = page(client, anna, "/acme/costs/?window=x&by=y&filter=z", status=400)
    assert len(re.findall(r'<li id="wrong-', html)) == 3
    assert '<option value="x" selected>x</option>' in html
    assert 'name="filter" value="z"' in html


def test_nothing_at_all_says_what_to_do(client: Client, anna: User) -> None:
    html = page(client, anna, "/acme/costs/")
    assert "Nothing was used yet" in html
    assert values(html) == []


def test_nothing_of_a_kind_says_so(client: Client, anna: User, books: Instance) -> None:
    html = page(client, anna, "/acme/costs/?category=tax")
    assert "Nothing fits" in html
    assert values(html) == []


def test_month_without_anything_has_its_charts(client: Client, anna: User, books: Instance) -> None:
    html = page(client, anna, "/acme/costs/?window=2026-01-01,2026-02-01")
    assert values(html) == ["0.000000000", "0.000000000"]
    assert "Nothing in these days." in html
    assert html.count('class="chart"') == 2


def test_what_corrects_a_closed_month(anna: User, acme: Tenant, books: Instance) -> None:
    close_period(period=BillingPeriod.objects.get(tenant=acme, month="2026-02-01"), now=NOW)
    record(books, "ended", moment("2026-02-20T08:30"), run_id="poster 2026-02-20T08:00", source="operator")
    settle(books.pk, now=NOW)
    assert board_of(anna).corrections.amount == Decimal("-1.25")
    assert board_of(anna, instance=books.slug).corrections.amount == Decimal("-1.25")
    assert board_of(anna, user="anna").corrections.amount == Decimal(0)
    assert rows(board_of(anna, window="lastmonth")) == [("alice", "6.250000000", "0")]
    for window in ("lastmonth", "2026-02-20,2026-02-21"):
        assert rows(board_of(anna, window=window, corrections="1")) == [("alice", "-1.250000000", "0")]
    assert rows(board_of(anna, window="month", corrections="1")) == []


def test_list_prices_are_asked_for(client: Client, anna: User, acme: Tenant, h100: GpuClass, books: Instance) -> None:
    set_price(gpu_class=h100, tenant=acme, per_hour=Decimal("2.00"), starts_at=BEGINNING)
    settle_due(now=NOW)
    net, listed = board_of(anna, category="gpu"), board_of(anna, category="gpu", prices="list")
    assert (str(net.total.booked), str(net.total.estimated_amount)) == ("6.333333333", "0.683333333")
    assert (str(listed.total.booked), str(listed.total.estimated_amount)) == ("7.916666667", "0.854166667")
    assert (str(net.total.price_per_gpu_hour), str(listed.total.price_per_gpu_hour)) == ("USD 2.00", "USD 2.50")
    assert listed.months.columns[-2].total.amount == Decimal("7.5")
    assert "At list prices: what it would have cost" in page(client, anna, "/acme/costs/?prices=list")


def test_two_currencies_are_never_added(client: Client, anna: User, acme: Tenant, h100: GpuClass, books: Instance) -> None:
    set_terms(tenant=acme, now=NOW, currency="EUR")
    set_price(gpu_class=h100, tenant=acme, per_hour=Decimal("2.30"), starts_at=moment("2026-04-01T00:00"))
    later = moment("2026-04-02T00:00")
    record(books, "ended", moment("2026-04-01T02:00"), run_id="poster 2026-03-10T10:00")
    settle(books.pk, now=later)
    with time_machine.travel(later, tick=False):
        html = page(client, anna, "/acme/costs/")
        assert values(html) == ["4.600000000"] * 3
        assert '<option value="USD">USD</option>' in html
        assert "USD 0" not in html
        spent = board_of(anna, now=later, window="lastmonth", currency="USD")
        of_march = Charge.objects.filter(currency="USD", day__gte="2026-03-01").aggregate(total=Sum("amount"))["total"]
        assert spent.total.booked == of_march
        assert {column.total.currency for column in spent.months.columns} == {"USD"}


def test_days_are_the_account_s_in_the_night_of_a_change(anna: User, acme: Tenant, make_running: Callable[..., Instance]) -> None:
    set_terms(tenant=acme, now=NOW, time_zone="Europe/Berlin")
    poster = make_running(name="poster")
    now = moment("2026-03-31T12:00:00")
    record(poster, "ready", moment("2026-03-27T23:00:00"))  # midnight in Berlin
    record(poster, "ended", moment("2026-03-29T22:00:00"))  # midnight, in summer
    settle(poster.pk, now=now)
    points = {point.title: str(point.amount.amount) for point in board_of(anna, now=now).days.points if point.amount}
    assert points == {"2026-03-28": "60.000000000", "2026-03-29": "57.500000000"}  # 24 hours, and 23


def test_estimates_are_marked_wherever_they_are(client: Client, anna: User, books: Instance) -> None:
    html = page(client, anna, "/acme/costs/")
    assert "estimated, not in the books yet" in html
    assert html.count('data-series="0" x="') == 1  # of the last column alone
    assert html.count("chart__point--estimated") == 1
    assert html.count("chart__line--estimated") == 1
    assert "estimated" not in page(client, anna, "/acme/costs/?window=lastmonth&corrections=1").partition("<main")[2]


def test_storage_is_a_part(anna: User, acme: Tenant, books: Instance) -> None:
    set_storage_price(per_hour=Decimal("0.01"), starts_at=BEGINNING)
    books.volume.size_gib = 10
    note_volume(books.volume, VolumeFact.Kind.PROVISIONED, at=moment("2026-03-08T00:00:00"))
    settle_due(now=NOW)
    board = board_of(anna, by="category", category="storage")
    assert rows(board) == [("storage", "4.800000000", "1.234166667")]  # two days; 12 h 20 min 30 s of today
    assert (board.total.gpu_hours, board.total.price_per_gpu_hour) == (Decimal("0.00"), None)


def test_what_has_no_price_is_said(client: Client, anna: User, alice: User, make_running: Callable[..., Instance]) -> None:
    unpriced = make_running(name="unpriced", gpu_class=factories.make_gpu_class("a100"), owner=anna)
    ran(unpriced, "2026-03-10T09:00", "2026-03-10T10:00")
    ran(make_running(name="poster"), "2026-03-10T09:00", "2026-03-10T10:00")
    assert "Some time has no price yet" in page(client, anna, "/acme/costs/")
    assert "Some time has no price yet" not in page(client, alice, "/acme/costs/")


def test_rows_beyond_the_most_are_one(anna: User, make_running: Callable[..., Instance], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.pages.dashboard.ROWS", 2)
    for number in range(1, 5):
        ran(make_running(name=f"poster {number}"), "2026-03-09T08:00", f"2026-03-09T{8 + number:02}:00")
    board = board_of(anna, by="instance")
    assert [(row.label, str(row.figures.booked)) for row in board.rows] == [
        ("poster 4", "10.000000000"),
        ("poster 3", "7.500000000"),
    ]
    assert board.rest is not None
    assert (board.rest.label, str(board.rest.figures.booked), board.rest.share) == ("2 others", "7.500000000", Decimal("30.0"))
    assert str(board.total.booked) == "25.000000000"


def test_series_beyond_those_that_can_be_told_apart_are_one(
    anna: User, acme: Tenant, make_running: Callable[..., Instance]
) -> None:
    for number in range(1, 10):
        person = factories.make_user(f"artist {number}")
        factories.join(person, acme)
        ran(make_running(name=f"poster {number}", owner=person), "2026-03-09T08:00", f"2026-03-09T08:{60 - number}:00")
    series = board_of(anna, stack="user").months.series
    assert [each.label for each in series] == [*(f"artist {number}" for number in range(1, 8)), "All others"]
    assert str(series[-1].total.amount) == "4.291666667"  # 52 and 51 minutes


@pytest.mark.parametrize("query", ["", "by=instance", "by=engine&stack=user", "window=lastmonth&corrections=1", "window=365d"])
def test_overview_never_looks_at_the_charges(client: Client, anna: User, books: Instance, query: str) -> None:
    client.force_login(anna)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(f"/acme/costs/?{query}").status_code == 200
    asked = [each["sql"] for each in captured]
    assert [sql for sql in asked if '"billing_charge"' in sql] == []
    assert [sql for sql in asked if "rollup" in sql] != []


def test_queries_do_not_grow(client: Client, anna: User, books: Instance, make_running: Callable[..., Instance]) -> None:
    client.force_login(anna)

    def count() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get("/acme/costs/?by=instance")
        return sum("billing_" in each["sql"] or "engines_" in each["sql"] for each in captured)

    count()
    before = count()
    for number in range(3):
        another = make_running(name=f"another {number}", gpu_class=factories.make_gpu_class(f"class-{number}"))
        set_price(gpu_class=another.gpu_class, per_hour=Decimal(1), starts_at=BEGINNING)
        ran(another, "2026-03-09T09:00", "2026-03-09T09:10")
        ran(another, "2026-03-10T09:00")
    assert (before, count()) == (25, 25)


def test_reasons_add_up_to_the_difference(client: Client, anna: User, acme: Tenant, h100: GpuClass, books: Instance) -> None:
    set_price(gpu_class=h100, tenant=acme, per_hour=Decimal("3.00"), starts_at=moment("2026-03-01T00:00"))
    settle_due(now=NOW)
    board = board_of(anna)
    assert [(reason.label, str(reason.amount.amount)) for reason in board.reasons] == [
        ("More or fewer GPU-hours", "-2.083333333"),  # 1 h 10 min instead of 2 h, at 2.50
        ("Other prices", "0.583333333"),  # 1 h 10 min at 0.50 more
    ]
    assert sum(reason.amount.amount for reason in board.reasons) == board.total.difference.amount == Decimal("-1.5")
    html = page(client, anna, "/acme/costs/")
    assert "Why it changed, against 2026-02-01 – 2026-02-09" in html
    assert board_of(anna, window="2026-01-01,2026-02-01").reasons == []


def test_what_is_too_small_to_read_is_one_reason(anna: User, books: Instance) -> None:
    for number in range(3):  # each a line of 0.000694444, and all together 0.0020833333…
        ran(books, f"2026-03-05T08:0{number}:00", f"2026-03-05T08:0{number}:01")
    board = board_of(anna)
    assert [(reason.label, str(reason.amount.amount)) for reason in board.reasons] == [
        ("More or fewer GPU-hours", "-2.081250000"),
        ("Rounding", "-1E-9"),
    ]
    assert sum(reason.amount.amount for reason in board.reasons) == board.total.difference.amount


def test_end_of_the_month_is_told_of_all_of_the_present_one(client: Client, anna: User, alice: User, books: Instance) -> None:
    for person in (anna, alice):
        membership = Membership.objects.select_related("tenant").get(user=person)
        expected = forecast(visible_to(membership), calendar_of(membership.tenant), NOW)
        board = board_of(person)
        assert board.forecast == expected
        assert board.forecast.spent == board.total.amount
    assert "Likely by the end of the month" in page(client, anna, "/acme/costs/")
    for asked in ({"user": "alice"}, {"window": "7d"}, {"prices": "list"}, {"corrections": "1"}):
        assert board_of(anna, **asked).forecast is None


def test_how_far_off_it_was_is_told_beside_it(client: Client, anna: User, books: Instance) -> None:
    assert board_of(anna).hindsight is None  # nothing was used yet on the first of February
    ran(books, "2026-01-31T08:00", "2026-01-31T09:00")
    found = board_of(anna).hindsight
    # As far as February was by its ninth: 5.00 is spent, and to come are three Thursdays at 5.00 and three Saturdays at 1.25.
    assert found is not None
    assert found.formulas == ["2026-02: |USD 23.75 − USD 7.50| ÷ USD 7.50 = 216.7 %"]
    html = page(client, anna, "/acme/costs/")
    assert "When as much of last month was over, what was likely by its end was 216.7 % off." in html
    assert "2026-02: |USD 23.75 − USD 7.50| ÷ USD 7.50 = 216.7 %" in html
    assert board_of(anna, window="7d").hindsight is None


def test_tightest_budget_lies_across_the_days(client: Client, anna: User, alice: User, acme: Tenant, books: Instance) -> None:
    def plan(name: str, amount: str, **fields: object) -> None:
        defaults = {"currency": "USD", "thresholds": [100], "made_by": anna, "recurrence": "month"}
        Budget.objects.create(tenant=acme, name=name, amount=Decimal(amount), **defaults | fields)

    assert board_of(anna).days.limit is None
    plan("everything", "310")
    plan("the quarter", "1000", recurrence="quarter")
    plan("alice's", "31", person=alice)
    plan("another's", "1", person=anna)
    plan("spring", "1", tag="spring")
    plan("not in force", "1", active=False)
    plan("of before", "1", currency="EUR")
    assert board_of(anna).days.limit == Money(Decimal("10.000000000"), "USD")
    assert board_of(alice).days.limit == Money(Decimal("1.000000000"), "USD")
    plan("a day", "8.5", recurrence="day")
    assert board_of(anna).days.limit == Money(Decimal("8.500000000"), "USD")
    assert board_of(anna, user="alice").days.limit is None
    html = page(client, anna, "/acme/costs/")
    assert 'What the tightest budget leaves for a day: <span class="num">USD 8.50<' in html
    fullest = board_of(anna).budget
    assert fullest is not None
    assert (fullest.budget.name, fullest.used_percent) == ("a day", 51)
    assert "Budget: a day" in html
    assert "Budget: " not in page(client, anna, "/acme/costs/?user=alice")


def test_unusual_days_are_ringed_and_said(client: Client, anna: User, make_running: Callable[..., Instance]) -> None:
    poster = make_running(name="poster")
    for day in range(9, 28):  # 10 to 28 minutes; of all 30 days that are over, the median is 14.5
        ran(poster, f"2026-02-{day:02}T08:00", f"2026-02-{day:02}T08:{day + 1}:00")
    assert not board_of(anna).days.has_marks
    ran(poster, "2026-03-08T08:00", "2026-03-08T12:00")
    ran(poster, "2026-03-10T01:00", "2026-03-10T12:00")  # today
    marks = {point.title: point.mark for point in board_of(anna).days.points if point.mark}
    assert marks == {"2026-03-08": "unusual: 16.6 × the usual day"}
    html = page(client, anna, "/acme/costs/")
    assert html.count("chart__ring") == 2  # the day, and the legend
    assert "2026-03-08: USD 10.00, unusual: 16.6 × the usual day" in html
    assert 'data-lines="USD 10.00&#10;unusual: 16.6 × the usual day"' in html
    assert '2026-03-08</a> <span class="tag">unusual: 16.6 × the usual day</span>' in html


def test_tabs_are_those_that_one_may_open(client: Client, alice: User, books: Instance) -> None:
    for address, current in (
        ("/acme/costs/", "Overview"),
        ("/acme/costs/lines/", "Overview"),
        ("/acme/costs/month/", "Statement"),
    ):
        html = page(client, alice, address)
        tabs = html.partition('aria-label="Parts of the costs"')[2].partition("</nav>")[0]
        assert re.findall(r'aria-current="page">(\w+)<', tabs) == [current]
        assert re.findall(r'href="([^"]*)"', tabs)[:2] == ["/acme/costs/", "/acme/costs/month/"]


def test_charts_have_no_styles_of_their_own(client: Client, anna: User, books: Instance) -> None:
    html = page(client, anna, "/acme/costs/").partition("<main")[2]
    assert " style=" not in html
    assert "<style" not in html
    assert len(set(re.findall(r'<pattern id="([^"]*)"', html))) == 9
    assert set(re.findall(r"url\(#([^)]*)\)", html)) <= set(re.findall(r'<pattern id="([^"]*)"', html))


def test_tables_beside_the_charts_have_every_digit(client: Client, anna: User, books: Instance) -> None:
    html = page(client, anna, "/acme/costs/")
    months = html.partition('aria-labelledby="by-month"')[2].partition("</section>")[0].partition("<tbody>")[2]
    amounts = [re.findall(r'<td class="num">([^<]*)</td>', row) for row in months.split("<tr>")[1:]]
    assert list(chain(*amounts[-2:])) == [
        *("USD 7.50", "USD 0.00", "USD 0.00", "USD 7.50"),  # February: H100, the credit, estimated, all
        *("USD 7.916666667", "USD -1.50", "USD 0.854166667", "USD 7.270833334"),
    ]


@pytest.mark.parametrize(
    ("previous", "before", "change"),
    [
        ("100", "110", "10.0"),
        ("100", "0", "-100.0"),
        ("0.001", "-12", None),
        ("0", "5", None),
        ("1", "10.99", "999.0"),
        ("1", "11", None),
    ],
)
def test_a_change_is_told_where_it_says_something(previous: str, before: str, change: str | None) -> None:
    found = Figures("USD", previous=Decimal(previous), before=Decimal(before)).change
    assert found == (None if change is None else Decimal(change))
