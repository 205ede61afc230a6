"""What the statement of a month and the file show, and to whom."""

import csv
import io
import re
from collections.abc import Callable
from decimal import Decimal

import pytest
import time_machine
from asgiref.sync import async_to_sync
from django.test import Client

from billing.operations import settle
from engines.models import GpuClass, Instance
from tenants.models import Tenant, User
from tests import factories
from tests.billing.facts import moment, record

NOW = "2026-03-10T12:20:30+00:00"


@pytest.fixture(autouse=True)
def _at_now() -> object:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def poster(instance: Instance) -> Instance:
    """Ran 20 minutes on the 9th, and runs since 10:00 today: 2 hours charged, 20 min 30 s estimated."""
    record(instance, "ready", moment("2026-03-09T08:00:00"), run_id="first")
    record(instance, "ended", moment("2026-03-09T08:20:00"), run_id="first")
    record(instance, "ready", moment("2026-03-10T10:00:00"), run_id="second")
    settle(instance.pk, now=moment(NOW))
    return instance


@pytest.fixture
def flyer(make_running: Callable[..., Instance], anna: User) -> Instance:
    """anna's, 10 minutes."""
    flyer = make_running(name="=flyer", owner=anna)
    record(flyer, "ready", moment("2026-03-10T09:00:00"))
    record(flyer, "ended", moment("2026-03-10T09:10:00"))
    settle(flyer.pk, now=moment(NOW))
    return flyer


def page(client: Client, user: User, address: str = "/acme/costs/month/", status: int = 200) -> str:
    client.force_login(user)
    response = client.get(address)
    assert response.status_code == status
    return response.content.decode()


def values(html: str) -> list[str]:
    return re.findall(r'<data value="([^"]*)"', html)


def download(client: Client, user: User) -> tuple[bytes, list[dict[str, str]]]:
    client.force_login(user)
    response = client.get("/acme/costs/month.csv")
    assert (response.status_code, response["Content-Type"]) == (200, "text/csv; charset=utf-8")

    async def read() -> bytes:
        return b"".join([chunk async for chunk in response])

    body = async_to_sync(read)()
    return body, list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline="")))


def test_owner_sees_everybody_by_instance_and_user(client: Client, anna: User, poster: Instance, flyer: Instance) -> None:
    html = page(client, anna)
    assert values(html) == [
        "7.104166667",  # all of it
        *("6.687500000", "0.416666667", "7.104166667"),  # poster, flyer, total
        *("6.687500000", "0.416666667", "7.104166667"),  # alice, anna, total
    ]
    assert "2026-03-10 12:20:30 UTC" in html
    assert "of which USD 0.85 estimated" in html
    assert "2:40:30" in html
    assert "USD 2.50" in html


def test_member_sees_own_costs_only(client: Client, alice: User, poster: Instance, flyer: Instance) -> None:
    html = page(client, alice)
    assert values(html) == ["6.687500000"] * 3  # all of it, the row, and the table's total
    assert "flyer" not in html
    assert "your own" in html


@pytest.mark.parametrize(("role", "rows"), [("finance", 2), ("admin", 2), ("owner", 2), ("member", 0), ("viewer", 0)])
def test_role_decides_whose_costs_are_seen(
    client: Client, acme: Tenant, poster: Instance, flyer: Instance, role: str, rows: int
) -> None:
    other = factories.make_user("other")
    factories.join(other, acme, role)
    html = page(client, other)
    assert html.count("/acme/costs/" + poster.slug) + html.count("/acme/costs/" + flyer.slug) == rows


@pytest.mark.parametrize("address", ["/acme/costs/month/", "/acme/costs/month.csv", "/acme/costs/{slug}/"])
def test_stranger_finds_nothing(client: Client, bob: User, poster: Instance, address: str) -> None:
    assert "poster" not in page(client, bob, address.format(slug=poster.slug), status=404)


@pytest.mark.parametrize("address", ["/acme/costs/month/", "/acme/costs/month.csv", "/acme/costs/{slug}/"])
def test_nobody_in_particular_is_asked_to_sign_in(client: Client, poster: Instance, address: str) -> None:
    response = client.get(address.format(slug=poster.slug))
    assert (response.status_code, response["Location"].split("?")[0]) == (302, "/accounts/login/")


def test_member_does_not_find_the_lines_of_others(client: Client, alice: User, flyer: Instance) -> None:
    page(client, alice, f"/acme/costs/{flyer.slug}/", status=404)


def test_instance_of_another_tenant_is_not_found(client: Client, bob: User, poster: Instance) -> None:
    page(client, bob, f"/bolt/costs/{poster.slug}/", status=404)


@pytest.mark.parametrize("month", ["2026-13", "march", "2026-3", "2026-04", "0000-01", "2026-03-01", "٢٠٢٦-٠٣"])
def test_month_that_is_none_is_not_found(client: Client, anna: User, month: str) -> None:
    page(client, anna, f"/acme/costs/month/?month={month}", status=404)


def test_another_month_is_empty_and_says_what_to_do(client: Client, anna: User, poster: Instance) -> None:
    html = page(client, anna, "/acme/costs/month/?month=2026-02")
    assert values(html) == ["0.000000000"]
    assert "Nothing was used in this month" in html


def test_lines_print_their_formula_and_add_up(client: Client, alice: User, poster: Instance) -> None:
    html = page(client, alice, f"/acme/costs/{poster.slug}/")
    total, *lines = values(html)
    assert lines == ["0.833333333", "2.500000000", "2.500000000", "0.854166667"]
    assert sum(map(Decimal, lines)) == Decimal(total)
    assert "1200 s × USD 2.50 ÷ 3600 s" in html
    assert "USD 0.833333333" in html
    assert html.index("<h1>") < html.index('class="tabs"'), "as on all other pages of costs"


def test_time_without_a_price_is_said_and_not_counted(
    client: Client, anna: User, make_running: Callable[..., Instance], gpu_class: GpuClass
) -> None:
    unpriced = make_running(name="unpriced", gpu_class=gpu_class)
    record(unpriced, "ready", moment("2026-03-10T10:00:00"))
    settle(unpriced.pk, now=moment(NOW))
    html = page(client, anna)
    assert values(html) == ["0.000000000"] * 3  # the grand total and those of the tables
    assert html.count(">no price<") == 1
    assert html.count("2:20:30 without a price") == 2
    assert "2:20:30 (h:mm:ss) of use has no price yet" in html
    assert ">no price<" in page(client, anna, f"/acme/costs/{unpriced.slug}/")


def test_file_has_the_page_s_numbers_to_the_last_digit(client: Client, anna: User, poster: Instance, flyer: Instance) -> None:
    body, rows = download(client, anna)
    assert body.startswith("\ufeffmonth,instance,".encode())
    assert body.count(b"\r\n") == 3
    assert [(row["instance"], row["user"], row["seconds"], row["amount"]) for row in rows] == [
        ("poster", "alice", "9630", "6.687500000"),
        ("'=flyer", "anna", "600", "0.416666667"),
    ]
    assert rows[0] == {
        "month": "2026-03",
        "instance": "poster",
        "instance_id": poster.slug,
        "user": "alice",
        "gpu_class": "H100",
        "seconds": "9630",
        "seconds_without_price": "0",
        "price_per_hour": "2.500000000",
        "currency": "USD",
        "charged": "5.833333333",
        "estimated": "0.854166667",
        "amount": "6.687500000",
        "as_of": "2026-03-10T12:20:30Z",
        "category": "gpu",
    }


def test_member_downloads_own_costs_only(client: Client, alice: User, poster: Instance, flyer: Instance) -> None:
    _, rows = download(client, alice)
    assert [row["instance"] for row in rows] == ["poster"]
