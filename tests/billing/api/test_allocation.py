"""Sums of costs as programs ask for them; and how questions that make no sense are refused."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from billing.accounts import posted_to
from billing.money import Money
from billing.operations import set_price, set_terms, settle, settle_due
from engines.models import GpuClass, Instance
from tenants.models import Tenant, User
from tests.billing.api.conftest import NOW, Ask, program_of, refusal
from tests.billing.facts import BEGINNING, moment, record


def allocations(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.content
    return [{name: each["totalCost"] for name, each in part.items()} for part in answer.json()["data"]]


def test_everything_of_a_month(books: None, ask: Ask, acme: Tenant) -> None:
    answer = ask("allocation", window="month").json()
    window = {"start": "2026-03-01T00:00:00Z", "end": "2026-03-11T00:00:00Z"}
    assert {name: answer[name] for name in ("window", "windows", "timeZone", "currency", "ownOnly", "total")} == {
        "window": window,
        "windows": [window],
        "timeZone": "UTC",
        "currency": "USD",
        "ownOnly": False,
        "total": {
            "totalCost": "3.916666667",
            "listCost": "3.916666667",
            "estimatedCost": None,
            "estimatedListCost": None,
        },
    }
    assert moment(answer["asOf"]) == posted_to(acme.pk)
    assert answer["data"] == [
        {
            "all": {
                "name": "all",
                "properties": {},
                "window": window,
                "gpuHours": "2.166666666667",
                "gpuCost": "5.416666667",
                "gpuListCost": "5.416666667",
                "storageGibHours": "0.000000000000",
                "storageCost": "0.000000000",
                "storageListCost": "0.000000000",
                "creditCost": "-1.500000000",
                "adjustmentCost": "0.000000000",
                "taxCost": "0.000000000",
                "totalCost": "3.916666667",
                "listCost": "3.916666667",
                "estimatedCost": None,
                "estimatedListCost": None,
            }
        }
    ]


def test_divided_stepped_and_filtered(books: None, ask: Ask) -> None:
    window = "2026-02-28,2026-03-11"
    by_user = {"alice": "5.000000000", "anna": "0.416666667", "__unallocated__": "-1.500000000"}
    assert allocations(ask("allocation", window=window, aggregate="user", step="1mo")) == [{"alice": "0.833333333"}, by_user]
    assert allocations(ask("allocation", window="month", aggregate="tag,user", filter='user!:""')) == [
        {"__unallocated__/alice": "5.000000000", "spring/anna": "0.416666667"}
    ]
    assert [len(each) for each in allocations(ask("allocation", window=window, step="1d"))] == [1] + [0] * 8 + [1, 1]
    assert allocations(ask("allocation", window="7d", filter='gpu_class:"none"')) == [{}]


def test_names_are_never_taken_for_others(make_running: Callable[..., Instance], ask: Ask) -> None:
    tags = ["", "__unallocated__", "a/b", "a%2Fb", "Ä b"]
    for hour, tag in enumerate(tags):
        instance = make_running(name=f"poster {hour}", tag=tag)
        record(instance, "ready", moment(f"2026-03-09T0{hour}:00:00"), tag=tag)
        record(instance, "ended", moment(f"2026-03-09T0{hour}:10:00"), tag=tag)
        settle(instance.pk, now=NOW)
    answer = ask("allocation", window="month", aggregate="tag").json()
    (part,) = answer["data"]
    assert {each["properties"]["tag"]: name for name, each in part.items()} == {
        "": "__unallocated__",
        "__unallocated__": "%5F_unallocated__",
        "a/b": "a%2Fb",
        "a%2Fb": "a%252Fb",
        "Ä b": "%C3%84 b",
    }


def test_list_beside_net(books: None, ask: Ask, acme: Tenant, h100: GpuClass) -> None:
    set_price(gpu_class=h100, tenant=acme, per_hour=Decimal("2.00"), starts_at=BEGINNING)
    settle_due(now=NOW)
    answer = ask("allocation", window="month", filter='user:"alice"').json()
    assert (answer["total"]["totalCost"], answer["total"]["listCost"]) == ("4.000000000", "5.000000000")


def test_estimates_stand_beside(books: None, ask: Ask) -> None:
    answer = ask("allocation", window="today", aggregate="user", include="live").json()
    (part,) = answer["data"]
    assert [(name, each["totalCost"], each["estimatedCost"], each["estimatedListCost"]) for name, each in part.items()] == [
        ("alice", "5.000000000", "0.854166667", "0.854166667"),
        ("__unallocated__", "-1.500000000", "0.000000000", "0.000000000"),
    ]
    assert answer["total"]["estimatedCost"] == "0.854166667"


def test_as_of_a_moment_the_answer_is_the_same_for_ever(books: None, ask: Ask) -> None:
    def about(name: str) -> Any:
        return ask(name, window="month", asOf=first["asOf"]).json()

    first = ask("allocation", window="month").json()
    lines = ask("lines", window="month").json()
    with time_machine.travel(NOW + timedelta(hours=3), tick=False):
        settle_due(now=NOW + timedelta(hours=3))
        later = ask("allocation", window="month").json()
        assert later["total"]["totalCost"] == "11.416666667"
        assert later["asOf"] > first["asOf"]
        assert about("allocation") == first
        assert about("lines") == lines


def test_as_of_now_says_as_of_the_last_posting(books: None, ask: Ask) -> None:
    answer = ask("allocation", window="month").json()
    with time_machine.travel(NOW + timedelta(minutes=5), tick=False):
        assert ask("allocation", window="month", asOf="2026-03-10T12:24:00Z").json() == answer


def test_nothing_was_posted_yet(ask: Ask) -> None:
    answer = ask("allocation", window="month").json()
    assert (answer["asOf"], answer["data"], answer["total"]["totalCost"]) == (None, [{}], "0.000000000")
    assert ask("allocation", window="month", asOf="2026-03-01T00:00:00Z").json() == answer


@pytest.mark.parametrize(
    ("to", "query", "field"),
    [
        ("allocation", {}, "window"),
        ("allocation", {"window": "5h"}, "window"),
        ("allocation", {"window": "2026-03-01,2020-01-01"}, "window"),
        ("allocation", {"window": "month", "windows": "day"}, "windows"),
        ("allocation", {"window": "month", "as_of": "2026-03-01T00:00:00Z"}, "as_of"),
        ("allocation", {"window": "month", "aggregate": "user,pod"}, "aggregate"),
        ("allocation", {"window": "month", "filter": 'pod:"x"'}, "filter"),
        ("allocation", {"window": "month", "filter": "user:alice"}, "filter"),
        ("allocation", {"window": "month", "step": "1h"}, "step"),
        ("allocation", {"window": "month", "currency": "usd"}, "currency"),
        ("allocation", {"window": "month", "include": "idle"}, "include"),
        ("allocation", {"window": "month", "include": "live", "asOf": "2026-03-01T00:00:00Z"}, "include"),
        ("allocation", {"window": "month", "asOf": "2026-03-11T00:00:00Z"}, "asOf"),
        ("allocation", {"window": "month", "asOf": "0001-01-01T00:00:00+14:00"}, "asOf"),
        ("allocation", {"window": "month", "asOf": "yesterday"}, "asOf"),
        ("lines", {"window": "month", "aggregate": "user"}, "aggregate"),
        ("lines", {"window": "month", "cursor": "x"}, "cursor"),
        ("lines", {"window": "month", "limit": "0"}, "limit"),
        ("estimate", {"gpuClass": "h100"}, "hours"),
        ("estimate", {"gpuClass": "h100", "hours": "0.0001"}, "hours"),
        ("estimate", {"gpuClass": "none", "hours": "1"}, "gpuClass"),
        ("estimate", {"hours": "1"}, "gpuClass"),
        ("estimate", {"gpuClass": "h100", "hours": "1", "startsAt": "2126-01-01T00:00:00Z"}, "startsAt"),
        ("periods", {"order": "newest"}, "order"),
    ],
)
def test_what_makes_no_sense_is_named(books: None, ask: Ask, to: str, query: dict[str, str], field: str) -> None:
    assert refusal(ask(to, **query)) == (400, "bad-request", [("query", field)])


def test_currencies_do_not_add_up(books: None, ask: Ask, acme: Tenant, h100: GpuClass) -> None:
    set_terms(tenant=acme, now=NOW, currency="EUR")
    set_price(gpu_class=h100, per_hour=Money(Decimal("2.00"), "EUR"), starts_at=BEGINNING)
    with time_machine.travel(moment("2026-04-02T00:30:00"), tick=False):
        settle_due(now=moment("2026-04-02T00:30:00"))
        window = {"window": "2026-03-01,2026-05-01"}
        assert refusal(ask("allocation", **window)) == (400, "bad-request", [("query", "currency")])
        answer = ask("allocation", **window, currency="EUR").json()
        assert (answer["currency"], answer["total"]["totalCost"]) == ("EUR", "48.000000000")
        assert ask("allocation", window="2026-03-01,2026-04-01").json()["currency"] == "USD"


def test_too_many_sums(books: None, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.allocation.LIMIT", 3)
    assert len(allocations(ask("allocation", window="month", aggregate="user"))[0]) == 3
    monkeypatch.setattr("billing.allocation.LIMIT", 2)
    assert refusal(ask("allocation", window="month", aggregate="user")) == (400, "bad-request", [("query", "step")])


def test_unchanged_is_304(books: None, ask: Ask, anna: User) -> None:
    program, address = program_of(anna), "/tenants/acme/billing/allocation?window=month&aggregate=user"
    first = program("GET", address)
    assert program("GET", address, if_none_match=first["ETag"]).status_code == 304
    with time_machine.travel(NOW + timedelta(hours=3), tick=False):
        settle_due(now=NOW + timedelta(hours=3))
        assert program("GET", address, if_none_match=first["ETag"]).status_code == 200
