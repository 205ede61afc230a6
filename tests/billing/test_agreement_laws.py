"""I19, I20, I22 on one set of books, for whatever is asked: windows add up, places agree, and nobody sees what is not theirs."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from django.db.models import Q
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.accounts import calendar_of, posted_to
from billing.allocation import Asked, allocate
from billing.dimensions import OF_SUMS, read_filter
from billing.models import BillingPeriod, Charge
from billing.operations import add_credit, close_period, set_price, set_storage_price, set_terms, settle_due
from billing.periods import Month
from billing.windows import Window
from engines.models import Instance, VolumeFact
from engines.volume_facts import note_volume
from tenants.access_tokens.operations import Wanted, make_personal_token
from tenants.models import Membership, Role, Tenant, User
from tests import factories
from tests.api.conftest import EVERY_SCOPE, Program
from tests.billing import readers
from tests.billing.facts import BEGINNING, moment, record
from tests.billing.readers import Question

NOW = moment("2026-11-05T12:20:00")
FIRST = date(2026, 10, 20)
MONTHS = [Month(2026, 9), Month(2026, 10), Month(2026, 11)]
VALUES = {
    "user": ["alice", "anna", "bob", ""],
    "tag": ["spring", ""],
    "charge_category": ["gpu", "storage", "credit", "adjustment"],
    "gpu_class": ["h100", ""],
    "engine": ["double", ""],
    "tenant": ["acme", "bolt"],
}
SOME = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@st.composite
def filters(draw: st.DrawFn) -> str:
    """One or two conditions that mean something, or none."""
    found = []
    for name in draw(st.lists(st.sampled_from(sorted(VALUES)), max_size=2, unique=True)):
        values = draw(st.lists(st.sampled_from(VALUES[name]), min_size=1, max_size=2, unique=True))
        sign = draw(st.sampled_from([":", "!:"]))
        found.append(f"{name}{sign}" + ",".join(f'"{value}"' for value in values))
    return "+".join(found)


@pytest.fixture
def people(acme: Tenant, bolt: Tenant, alice: User, anna: User, bob: User, anna_in_acme: Membership) -> dict[str, User]:
    return {"alice": alice, "anna": anna, "bob": bob, "nobody": factories.make_user("nobody")}


@pytest.fixture
def books(make_running: Callable[..., Instance], acme: Tenant, bolt: Tenant, people: dict[str, User], valkey: object) -> None:
    """Three owners in two tenants, over the night of 25 hours in Berlin: storage, tags, a credit, a closed month, corrections."""
    for tenant in (acme, bolt):
        set_terms(tenant=tenant, now=BEGINNING, time_zone="Europe/Berlin")
    set_storage_price(per_hour=Decimal("0.000137"), starts_at=BEGINNING)
    start = moment("2026-10-24T20:00:13")
    whose = [(acme, "alice", ""), (acme, "anna", "spring"), (acme, "bob", ""), (bolt, "bob", "spring"), (bolt, "alice", "")]
    for number, (tenant, name, tag) in enumerate(whose):
        instance = make_running(name=f"{name} {number}", tenant=tenant, owner=people[name], tag=tag)
        note_volume(instance.volume, VolumeFact.Kind.PROVISIONED, at=start + timedelta(hours=number))
        for run, hours in enumerate((0, 20, 200, 280 + number)):
            at = start + timedelta(hours=hours, seconds=997 * number)
            record(instance, "ready", at, run_id=f"{number}-{run}", tag=tag)
            if run < 3 or number:
                record(instance, "ended", at + timedelta(hours=7, seconds=61 * run), run_id=f"{number}-{run}", tag=tag)
    settle_due(now=NOW)
    add_credit(tenant=acme, amount=Decimal("1.234567891"), reason="Outage", now=NOW)
    close_period(period=BillingPeriod.objects.get(tenant=acme, month="2026-10-01"), now=NOW)
    set_price(gpu_class=instance.gpu_class, per_hour=Decimal("2.999999999"), starts_at=moment("2026-10-25T03:33:00"), tenant=acme)
    settle_due(now=NOW)


@SOME
@given(
    days=st.lists(st.integers(0, 20), min_size=3, max_size=3, unique=True).map(sorted),
    by=st.lists(st.sampled_from(sorted(OF_SUMS)), max_size=2, unique=True).map(tuple),
    wanted=filters(),
    past=st.booleans(),
)
def test_windows_add_up(books: None, acme: Tenant, days: list[int], by: tuple[str, ...], wanted: str, *, past: bool) -> None:
    """I19: wherever a window is split between two days, its parts add up, entry by entry, estimates too."""
    first, middle, last = (FIRST + timedelta(days=number) for number in days)

    def sums(begin: date, end: date) -> dict[tuple[str, ...], list[Any]]:
        asked = Asked(Window(begin, end - timedelta(days=1)), by, conditions=read_filter(wanted))
        when = {"as_of": posted_to(acme.pk)} if past else {"live_at": NOW}
        (part,) = allocate(Q(tenant=acme), asked, calendar_of(acme), **when)
        found = {}
        for each in part.allocations:
            parts = [each.of(category) for category in ("gpu", "storage", "credit", "adjustment")]
            found[each.key] = [each.amount, each.list_amount, each.estimated, each.list_estimated]
            found[each.key] += [portion.milli_unit_seconds for portion in parts]
        return found

    parts, added = (sums(first, middle), sums(middle, last)), {}
    for part in parts:
        for key, numbers in part.items():
            added[key] = [one + other for one, other in zip(numbers, added.get(key, [0] * len(numbers)), strict=True)]
    assert added == sums(first, last)


@SOME
@given(month=st.sampled_from(MONTHS), wanted=filters(), name=st.sampled_from(["alice", "anna"]))
def test_all_places_agree(books: None, acme: Tenant, people: dict[str, User], month: Month, wanted: str, name: str) -> None:
    """I20: for the same filter and the same postings, for who sees everything and for who sees their own."""
    member = Membership.objects.get(user=people[name], tenant=acme)
    readers.agreed(Question(member, month, NOW, wanted))


def test_the_books_say_something(books: None, acme: Tenant, anna_in_acme: Membership) -> None:
    """The laws above are not about nothing."""
    september, october, november = (readers.agreed(Question(anna_in_acme, month, NOW))[0] for month in MONTHS)
    assert september == 0 < november < october
    found = Charge.objects.filter(tenant=acme)
    assert set(found.values_list("category", flat=True)) == {"gpu", "storage", "credit", "adjustment"}
    assert found.filter(is_correction=True, kind="reversal").count() > 20


def asked_by(person: User, tenant: Tenant, to: str, **query: str) -> Any:
    made = make_personal_token(person=person, membership=None, wanted=Wanted("a", EVERY_SCOPE, timedelta(days=1)))
    with time_machine.travel(NOW, tick=False):
        answer = Program(made.secret)("GET", f"/tenants/{tenant.slug}/billing/{to}?{urlencode(query)}")
    made.token.delete()
    return answer


@SOME
@given(
    name=st.sampled_from(["alice", "anna", "bob", "nobody"]),
    slug=st.sampled_from(["acme", "bolt"]),
    role=st.none() | st.sampled_from(Role.values),
    wanted=filters(),
    place=st.integers(0, 10**6),
)
def test_nobody_sees_what_is_not_theirs(books: None, people: dict[str, User], **asked: Any) -> None:
    """I22: whoever asks, as whatever, gets exactly the lines of that tenant which are their own, or all of them by their role."""
    person, tenant, role = people[asked["name"]], Tenant.objects.get(slug=asked["slug"]), asked["role"]
    Membership.objects.filter(user=person, tenant=tenant).delete()
    if role is not None:
        Membership.objects.create(user=person, tenant=tenant, role=role)
    sees_all = role in {Role.OWNER, Role.ADMIN, Role.FINANCE}
    theirs = [each for each in Charge.objects.all() if each.tenant_id == tenant.pk and (sees_all or each.owner_id == person.pk)]
    others = [each for each in Charge.objects.order_by("pk") if each not in theirs]
    other = others[asked["place"] % len(others)]
    window = "2026-10-01,2026-12-01"
    answers = {to: asked_by(person, tenant, to, window=window) for to in ("allocation", "lines")}
    answers["line"] = asked_by(person, tenant, f"lines/{other.line_key}")
    assert answers["line"].status_code == 404
    if role is None:
        assert {each.status_code for each in answers.values()} == {404}
        return
    narrowed = asked_by(person, tenant, "lines", window=window, filter=asked["wanted"], limit="200").json()["items"]
    assert {each["id"] for each in narrowed} <= {each.pk for each in theirs}
    total = sum((each.amount for each in theirs), Decimal(0))
    assert Decimal(answers["allocation"].json()["total"]["totalCost"]) == total
    seen = {each["id"] for each in answers["lines"].json()["items"]}
    assert seen == {each.pk for each in sorted(theirs, key=lambda each: (each.starts_at, each.pk))[:50]}
