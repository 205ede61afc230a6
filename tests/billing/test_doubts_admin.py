"""Operators see which facts are in doubt and what taking them would change, and decide about them."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing.closing import blockers
from billing.models import BillingPeriod, Charge, FactDecision, Meter, UsageInterval
from billing.operations import decide, set_storage_price, settle, settle_due
from billing.quarantine import waiting
from billing.supposing import Change, changes_by
from engines.models import Instance, RunFact, VolumeFact
from tenants.audit.models import AuditEvent
from tenants.models import Tenant, User
from tests import factories
from tests.billing.facts import BEGINNING, lines, moment, provisioned, record

LIST = reverse("admin:billing_factdecision_doubts")
DECIDE = reverse("admin:billing_factdecision_decide")
COCKPIT = reverse("admin:billing_billingperiod_cockpit")
NOW = moment("2026-05-05T00:00:00")
READY = moment("2026-03-10T10:00:00")
LATE = NOW - timedelta(hours=1)
VIEW = "billing.view_factdecision"


@pytest.fixture(autouse=True)
def _at_now() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def late(instance: Instance) -> RunFact:
    """The end of a run of half an hour, which became known after eight weeks; ten minutes of it are charged."""
    record(instance, "ready", READY)
    record(instance, "seen", READY + timedelta(minutes=10))
    Instance.objects.update(state="stopped")
    settle(instance.pk, now=READY + timedelta(days=1))
    fact = record(instance, "ended", READY + timedelta(minutes=30), observed_at=LATE)
    settle_due(now=NOW)
    return fact


@pytest.fixture
def judge(db: None, client: Client) -> User:
    user = factories.make_operator("cleo", VIEW, "billing.decide_factdecision", "billing.view_billingperiod")
    client.force_login(user)
    return user


def word(*facts: RunFact | VolumeFact, word: str = "take", reason: str = "The node's log says so") -> dict[str, object]:
    names = [f"{'run' if isinstance(each, RunFact) else 'volume'}-{each.pk}" for each in facts]
    return {"fact": names, "word": word, "reason": reason}


def test_what_waits_is_shown_with_what_taking_it_would_change(late: RunFact, judge: User, client: Client) -> None:
    html = client.get(LIST).content.decode()
    for told in (f"run-{late.pk}", "poster", "ended", "2026-03-10 10:30:00", "2026-05-04 23:00:00", "cluster"):
        assert told in html
    assert "known 1\xa0month, 3\xa0weeks late" in html
    assert "USD 0.833333333" in html
    assert "0:20:00 of GPU time" in html
    assert Charge.objects.count() == 1


def test_nothing_in_doubt_is_said(judge: User, client: Client, acme: Tenant) -> None:
    assert "Nothing is in doubt." in client.get(LIST).content.decode()
    assert "Nothing of Acme Studio is in doubt." in client.get(LIST, {"of_tenant": acme.pk}).content.decode()
    assert "No fact in doubt was taken." in client.get(LIST, {"standing": "taken"}).content.decode()
    assert "No fact in doubt was left out." in client.get(LIST, {"standing": "left_out"}).content.decode()
    assert client.get(LIST, {"standing": "x", "of_tenant": "x", "page": "x"}).status_code == 200


def test_what_is_supposed_is_what_is_posted(late: RunFact, judge: User, client: Client) -> None:
    [change] = changes_by([[waiting()[0].fact]], now=NOW)
    client.post(DECIDE, word(late))
    posted = [(charge.seconds, charge.amount) for charge in Charge.objects.exclude(kind="original")]
    assert change.gpu_seconds == sum(seconds for seconds, _amount in posted) == 1200
    assert change.amounts == {"USD": sum(amount for _seconds, amount in posted)}


def test_suppositions_stand_by_themselves_and_together(instance: Instance) -> None:
    """A start alone comes to nothing: without a sign of life after it the run ended as it began."""
    ready = record(instance, "ready", READY, observed_at=LATE)
    ended = record(instance, "ended", READY + timedelta(minutes=30), observed_at=LATE)
    Instance.objects.update(state="stopped")
    settle_due(now=NOW)
    alone, end_alone, together = changes_by([[ready], [ended], [ready, ended]], now=NOW)
    assert (alone.is_nothing, end_alone.is_nothing) == (True, True)
    assert (together.gpu_seconds, [each.exact for each in together.money]) == (1800, ["USD 1.25"])
    assert changes_by([[]], now=NOW) == [Change()]
    for fact in (ready, ended):
        decide(fact=fact, counts=True, reason="Both are in the log", now=NOW)
    settle_due(now=NOW)
    assert lines(Charge.objects.all()) == [("original", 1800, "1.250000000")]


@pytest.fixture
def old_volume(instance: Instance) -> VolumeFact:
    """There since March, as became known yesterday."""
    set_storage_price(per_hour=Decimal(1), starts_at=BEGINNING)
    fact = provisioned(instance.volume, READY, observed_at=LATE, size_gib=1)
    settle_due(now=NOW)
    return fact


def test_storage_alike(old_volume: VolumeFact, judge: User, client: Client) -> None:
    [change] = changes_by([[old_volume]], now=NOW)
    client.post(DECIDE, word(old_volume))
    assert change.storage_seconds == sum(charge.seconds for charge in Charge.objects.all()) > 0
    assert change.amounts == {"USD": sum(charge.amount for charge in Charge.objects.all())}
    assert waiting() == []


def test_time_without_a_price_is_told(late: RunFact, judge: User, client: Client) -> None:
    instance = late.instance
    free = factories.make_gpu_class("l4")
    Instance.objects.update(gpu_class=free)
    instance.refresh_from_db()
    ready = record(instance, "ready", READY + timedelta(days=1), run_id="second", observed_at=LATE)
    ended = record(instance, "ended", READY + timedelta(days=1, hours=1), run_id="second", observed_at=LATE)
    [change] = changes_by([[ready, ended]], now=NOW)
    assert (change.gpu_seconds, change.money, change.has_unpriced, change.is_nothing) == (0, [], True, False)


def test_taking_one_opens_the_way_to_close(late: RunFact, judge: User, client: Client, acme: Tenant) -> None:
    march = BillingPeriod.objects.get(month="2026-03-01")
    link = f"{LIST}?of_tenant={acme.pk}"
    assert link in client.get(COCKPIT, {"month": "2026-03"}).content.decode()
    assert "poster" in client.get(link).content.decode()
    page = client.get(DECIDE, {"fact": f"run-{late.pk}", "of_tenant": acme.pk}).content.decode()
    assert "Decide for ever" in page
    assert "USD 0.833333333" in page
    answer = client.post(f"{DECIDE}?of_tenant={acme.pk}", word(late), follow=True, REMOTE_ADDR="192.0.2.7")
    assert answer.redirect_chain == [(link, 302)]
    assert "1 fact is taken, and counts." in answer.content.decode()
    assert "Nothing of Acme Studio is in doubt." in answer.content.decode()
    assert (blockers(march, now=NOW), Meter.objects.get().quarantined) == ([], 0)
    assert sum(charge.seconds for charge in Charge.objects.all()) == 1800
    assert link not in client.get(COCKPIT, {"month": "2026-03"}).content.decode()
    decision = FactDecision.objects.get()
    assert (decision.counts, decision.decided_by, decision.reason) == (True, judge, "The node's log says so")
    event = AuditEvent.objects.get(kind="fact.decided")
    assert (event.actor, event.tenant, event.address) == (judge, acme, "192.0.2.7")
    assert event.details == {"fact": f"run-{late.pk}", "counts": True, "reason": "The node's log says so"}
    taken = client.get(LIST, {"standing": "taken"}).content.decode()
    assert "The node&#x27;s log says so" in taken
    assert "cleo" in taken
    assert "poster" not in client.get(LIST, {"standing": "left_out"}).content.decode()


def test_leaving_one_out_changes_nothing(late: RunFact, judge: User, client: Client) -> None:
    answer = client.post(DECIDE, word(late, word="leave_out", reason="A replay"), follow=True)
    assert "1 fact is left out." in answer.content.decode()
    assert (Charge.objects.count(), Meter.objects.get().quarantined, FactDecision.objects.get().counts) == (1, 0, False)
    assert "A replay" in client.get(LIST, {"standing": "left_out"}).content.decode()
    assert f"run-{late.pk}" in client.get(reverse("admin:billing_factdecision_changelist")).content.decode()
    own = reverse("admin:billing_factdecision_change", args=[FactDecision.objects.get().pk])
    assert "A replay" in client.get(own).content.decode()
    assert client.post(own, {"reason": "Another"}).status_code == 403


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"reason": " "}, "Say why: whoever audits the books will ask."),
        ({"reason": "x" * 201}, "Ensure this value has at most 200 characters (it has 201)."),
        ({"word": ""}, "Say whether to take or to leave out."),
        ({"word": "perhaps"}, "Select a valid choice."),
    ],
)
def test_what_is_wrong_is_said_and_nothing_decided(
    wrong: dict[str, str], told: str, late: RunFact, judge: User, client: Client
) -> None:
    answer = client.post(DECIDE, word(late) | wrong)
    assert answer.status_code == 422
    assert told in answer.content.decode()
    assert f'name="fact" value="run-{late.pk}"' in answer.content.decode()
    assert not FactDecision.objects.exists()
    assert client.post(DECIDE, word(late, reason="x" * 200)).status_code == 302
    assert FactDecision.objects.exists()


def test_none_is_skipped_in_silence(late: RunFact, judge: User, client: Client, olga: User) -> None:
    """Of two one was decided meanwhile; what names no fact in doubt is refused with all that is named beside it."""
    other = record(late.instance, "seen", READY + timedelta(minutes=20), observed_at=LATE)
    settle_due(now=NOW)
    decide(fact=late, counts=False, reason="A replay", now=NOW, by=olga)
    page = client.get(DECIDE, {"fact": [f"run-{late.pk}", f"run-{other.pk}"]}).content.decode()
    assert "Somebody has decided already: it was left out." in page
    assert f'name="fact" value="run-{late.pk}"' not in page
    answer = client.post(DECIDE, word(late, other), follow=True).content.decode()
    assert "olga has decided already, at 2026-05-05 00:00 UTC, that this fact does not count." in answer
    assert f"run-{late.pk} (poster, ended)" in answer
    assert "1 fact is taken, and counts." in answer
    assert sorted(FactDecision.objects.values_list("run_fact", "counts")) == [(late.pk, False), (other.pk, True)]
    for name in (f"run-{RunFact.objects.get(kind='ready').pk}", "run-4711", "volume-0", "x", "run-" + "9" * 30):
        assert client.get(DECIDE, {"fact": [f"run-{other.pk}", name]}).status_code == 404
        assert client.post(DECIDE, word(other) | {"fact": [f"run-{other.pk}", name]}).status_code == 404
    assert "Choose at least one fact." in client.get(DECIDE, follow=True).content.decode()
    assert AuditEvent.objects.filter(kind="fact.decided").count() == 2


def test_a_second_click_changes_nothing(late: RunFact, judge: User, client: Client) -> None:
    client.post(DECIDE, word(late))
    answer = client.post(DECIDE, word(late, word="leave_out"), follow=True).content.decode()
    assert "cleo has decided already, at 2026-05-05 00:00 UTC, that this fact counts." in answer
    assert (FactDecision.objects.get().counts, AuditEvent.objects.filter(kind="fact.decided").count()) == (True, 1)


@pytest.mark.django_db(transaction=True)
def test_two_who_decide_at_once(late: RunFact, judge: User) -> None:
    told: dict[str, str] = {}

    def say(said: str) -> None:
        browser = Client()
        browser.force_login(judge)
        told[said] = browser.post(DECIDE, word(late, word=said), follow=True).content.decode()
        connection.close()

    both = [threading.Thread(target=say, args=[said]) for said in ("take", "leave_out")]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert sorted("has decided already" in page for page in told.values()) == [False, True]
    winner = "take" if FactDecision.objects.get().counts else "leave_out"
    assert "has decided already" not in told[winner]
    assert AuditEvent.objects.filter(kind="fact.decided").count() == 1


def test_deciding_needs_a_right_of_its_own(late: RunFact, client: Client) -> None:
    client.force_login(factories.make_operator("sam", VIEW, "billing.close_billingperiod", "billing.change_factdecision"))
    html = client.get(LIST).content.decode()
    assert "poster" in html
    assert DECIDE not in html
    asked = {"fact": f"run-{late.pk}"}
    assert (client.get(DECIDE, asked).status_code, client.post(DECIDE, word(late)).status_code) == (403, 403)
    client.force_login(factories.make_operator("sara", "billing.decide_factdecision", "billing.view_billingperiod"))
    assert (client.get(LIST).status_code, client.post(DECIDE, word(late)).status_code) == (403, 403)
    assert LIST not in client.get(COCKPIT, {"month": "2026-03"}).content.decode()
    assert not FactDecision.objects.exists()


def test_more_rows_take_no_more_queries(late: RunFact, old_volume: VolumeFact, judge: User, client: Client) -> None:
    def queries(address: str, **asked: object) -> int:
        client.get(address, asked)
        with CaptureQueriesContext(connection) as captured:
            assert client.get(address, asked).status_code == 200
        return len(captured)

    def names() -> list[str]:
        return [each.name for each in waiting()]

    few, few_chosen = queries(LIST), queries(DECIDE, fact=names())
    for number in range(25):
        record(late.instance, "seen", READY + timedelta(seconds=number), observed_at=LATE + timedelta(seconds=1))
    settle_due(now=NOW)
    assert len(names()) == 27
    assert (queries(LIST), queries(DECIDE, fact=names())) == (few, few_chosen)
    first, second = (client.get(LIST, {"page": page}).content.decode() for page in (1, 2))
    assert [page.count('name="fact"') for page in (first, second)] == [20, 7]
    for fact in (late, old_volume):
        decide(fact=fact, counts=False, reason="Replayed", now=NOW, by=judge)
    settle_due(now=NOW)
    few = queries(LIST, standing="left_out")
    for each in waiting():
        decide(fact=each.fact, counts=False, reason="Replayed", now=NOW - timedelta(hours=1), by=judge)
    assert client.get(LIST, {"standing": "left_out"}).content.decode().count("Replayed") == 20
    assert queries(LIST, standing="left_out") == few


def test_looking_writes_nothing(late: RunFact, judge: User, client: Client) -> None:
    before = list(Charge.objects.values()), list(UsageInterval.objects.values()), list(Meter.objects.values())
    client.get(LIST)
    client.get(DECIDE, {"fact": f"run-{late.pk}"})
    assert (list(Charge.objects.values()), list(UsageInterval.objects.values()), list(Meter.objects.values())) == before
