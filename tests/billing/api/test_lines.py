"""The lines of the books, why each is what it is, and whose they are."""

from decimal import Decimal
from typing import Any

from billing.closing import close_period
from billing.models import BillingPeriod
from billing.operations import settle, settle_due
from engines.models import Instance
from tenants.models import Tenant, User
from tests.billing.api.conftest import NOW, Ask, program_of, refusal
from tests.billing.facts import moment, record


def test_lines_add_up_to_the_sum(books: None, ask: Ask) -> None:
    total = ask("allocation", window="2026-02-01,2026-04-01").json()["total"]["totalCost"]
    items: list[Any] = []
    cursor = ""
    while cursor is not None:
        answer = ask("lines", window="2026-02-01,2026-04-01", limit="2", cursor=cursor).json()
        items += answer["items"]
        cursor = answer["nextCursor"]
    assert len(items) == 5
    assert f"{sum(Decimal(each['amount']) for each in items):.9f}" == total
    assert [each["startsAt"] for each in items] == sorted(each["startsAt"] for each in items)


def test_a_line_says_how_it_was_worked_out(books: None, ask: Ask, poster: Instance, acme: Tenant) -> None:
    (line,) = ask("lines", window="2026-02-28,2026-03-01").json()["items"]
    assert {name: line[name] for name in line if name not in {"id", "key", "postedAt"}} == {
        "revision": 0,
        "kind": "original",
        "category": "gpu",
        "period": "2026-02",
        "isCorrection": False,
        "day": "2026-02-28",
        "startsAt": "2026-02-28T08:00:00Z",
        "endsAt": "2026-02-28T08:20:00Z",
        "user": "alice",
        "instance": poster.slug,
        "volume": None,
        "resourceName": "poster",
        "runId": "first",
        "gpuClass": "h100",
        "storageClass": "",
        "tag": "",
        "seconds": 1200,
        "quantity": "1",
        "pricePerHour": "2.500000000",
        "listPricePerHour": "2.500000000",
        "amount": "0.833333333",
        "listAmount": "0.833333333",
        "currency": "USD",
        "formula": "2.50 × 1 × 1200 ÷ 3600 = 0.833333333",
    }


def test_why_a_line_is_what_it_is(books: None, ask: Ask, poster: Instance) -> None:
    record(poster, "ended", moment("2026-02-28T08:30:00"), run_id="first", source="operator")
    settle(poster.pk, now=NOW)
    key = ask("lines", window="2026-02-28,2026-03-01").json()["items"][0]["key"]
    found = ask(f"lines/{key}").json()
    assert found["line"] == found["history"][-1]
    assert [(each["kind"], each["seconds"], each["amount"]) for each in found["history"]] == [
        ("original", 1200, "0.833333333"),
        ("reversal", -1200, "-0.833333333"),
        ("replacement", 1800, "1.250000000"),
    ]
    assert found["intervals"] == [
        {
            "kind": "gpu",
            "runId": "first",
            "user": "alice",
            "quantity": "1",
            "tag": "",
            "startsAt": "2026-02-28T08:00:00Z",
            "endsAt": "2026-02-28T08:30:00Z",
        }
    ]
    assert [(each["kind"], each["source"], each["at"]) for each in found["facts"]] == [
        ("ready", "cluster", "2026-02-28T08:00:00Z"),
        ("ended", "cluster", "2026-02-28T08:20:00Z"),
        ("ended", "operator", "2026-02-28T08:30:00Z"),
    ]
    assert (found["priceSince"], found["priceUntil"]) == ("2020-01-01T00:00:00Z", None)


def test_members_see_their_own_alone(books: None, ask: Ask, alice: User) -> None:
    program = program_of(alice)
    answer = ask("allocation", program, window="month", aggregate="user").json()
    assert (answer["ownOnly"], [each["totalCost"] for each in answer["data"][0].values()]) == (True, ["5.000000000"])
    assert {each["user"] for each in ask("lines", program, window="30d").json()["items"]} == {"alice"}
    annas = ask("lines", window="month", filter='user:"anna"').json()["items"][0]["key"]
    assert refusal(ask(f"lines/{annas}", program))[:2] == (404, "not-found")
    march = ask("periods", program).json()["items"][0]
    assert (march["totalCost"], march["lineCount"]) == ("5.000000000", 2)


def test_strangers_and_other_scopes(books: None, ask: Ask, bob: User, anna: User) -> None:
    key = ask("lines", window="month").json()["items"][0]["key"]
    for to in ("allocation", "lines", f"lines/{key}", "estimate", "periods"):
        query = (
            {"window": "month"}
            if to in {"allocation", "lines"}
            else {"hours": "1", "storageGib": "1"}
            if to == "estimate"
            else {}
        )
        assert refusal(ask(to, program_of(bob), **query))[:2] == (404, "not-found")
        other = program_of(anna, scopes=["instances:read"])
        assert refusal(ask(to, other, **query))[:2] == (403, "insufficient-scope")


def test_periods(books: None, ask: Ask, acme: Tenant) -> None:
    later = moment("2026-03-20T00:00:00")
    settle_due(now=later)
    february = close_period(period=BillingPeriod.objects.get(tenant=acme, month="2026-02-01"), now=later)
    answer = ask("periods").json()
    assert [(each["period"], each["status"], each["closedAt"]) for each in answer["items"]] == [
        ("2026-03", "open", None),
        ("2026-02", "closed", "2026-03-20T00:00:00Z"),
    ]
    closed = answer["items"][1]
    assert (closed["invoice"], closed["digest"], closed["lineCount"]) == ("acme-2026-02", february.digest, february.charge_count)
    assert (closed["totalCost"], closed["listCost"]) == (f"{february.amount:.9f}", f"{february.list_amount:.9f}")
