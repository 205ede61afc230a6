"""What nobody can know to be true counts for nothing until an operator decides; and no month is closed before."""

from datetime import timedelta

import pytest
import time_machine

from billing.closing import Code, blockers
from billing.errors import DecisionRefused
from billing.models import BillingPeriod, Charge, FactDecision, Meter, VolumeMeter
from billing.operations import decide, settle, settle_due
from billing.quarantine import find, waiting
from engines.models import Instance, RunFact
from tenants.audit.models import AuditEvent
from tenants.models import Tenant, User
from tests.billing.facts import lines, moment, provisioned, record
from tests.billing.test_command import billing

NOW = moment("2026-05-05T00:00:00")
READY = moment("2026-03-10T10:00:00")
LATE = NOW - timedelta(hours=1)


@pytest.fixture
def late(instance: Instance) -> RunFact:
    """The end of a run of half an hour, which became known after eight weeks; nobody knows what became of it before."""
    record(instance, "ready", READY)
    record(instance, "seen", READY + timedelta(minutes=10))
    Instance.objects.update(state="stopped")
    settle(instance.pk, now=READY + timedelta(days=1))
    return record(instance, "ended", READY + timedelta(minutes=30), observed_at=LATE)


def test_it_counts_for_nothing_and_keeps_months_open(late: RunFact, instance: Instance, acme: Tenant) -> None:
    assert settle_due(now=NOW) == 0
    assert lines(Charge.objects.all()) == [("original", 600, "0.416666667")]
    meter = Meter.objects.get()
    assert (meter.quarantined, meter.anomalies) == (1, [f"{late.run_id}: too_old"])
    [doubtful] = waiting(acme)
    assert (doubtful.fact, doubtful.doubt, find(doubtful.name)) == (late, "too_old", late)
    march = BillingPeriod.objects.get(month="2026-03-01")
    assert [each.code for each in blockers(march, now=NOW)] == [Code.IN_DOUBT]


def test_it_counts_once_somebody_says_so(late: RunFact, olga: User, acme: Tenant) -> None:
    settle_due(now=NOW)
    decide(fact=late, counts=True, reason="The log of the node says so", now=NOW, by=olga)
    assert settle_due(now=NOW) == 2
    assert lines(Charge.objects.all())[1:] == [("reversal", -600, "-0.416666667"), ("replacement", 1800, "1.250000000")]
    assert (waiting(), Meter.objects.get().quarantined, Meter.objects.get().anomalies) == ([], 0, [])
    assert blockers(BillingPeriod.objects.get(month="2026-03-01"), now=NOW) == []
    [event] = AuditEvent.objects.filter(kind="fact.decided")
    assert (event.tenant, event.details["fact"], event.details["counts"]) == (acme, f"run-{late.pk}", True)


def test_it_never_counts_if_somebody_says_so(late: RunFact) -> None:
    settle_due(now=NOW)
    decide(fact=late, counts=False, reason="A replay", now=NOW)
    assert settle_due(now=NOW) == 0
    assert (waiting(), Meter.objects.get().quarantined) == ([], 0)


def test_a_word_is_said_once_with_its_reason_and_about_doubts_alone(late: RunFact, instance: Instance) -> None:
    settle_due(now=NOW)
    for fact, reason in ((late, " "), (late, "x" * 201), (RunFact.objects.get(kind="ready"), "Because")):
        with pytest.raises(DecisionRefused):
            decide(fact=fact, counts=True, reason=reason, now=NOW)
    assert not FactDecision.objects.exists()
    decide(fact=late, counts=False, reason="A replay", now=NOW)
    with pytest.raises(DecisionRefused):
        decide(fact=late, counts=True, reason="After all", now=NOW)
    assert FactDecision.objects.get().counts is False


def test_a_sign_of_life_in_doubt_hides_no_other(instance: Instance) -> None:
    """The last one was seen by a clock that is a day ahead."""
    record(instance, "ready", READY)
    record(instance, "seen", READY + timedelta(minutes=10))
    record(instance, "seen", READY + timedelta(days=1), observed_at=READY + timedelta(minutes=15))
    Instance.objects.update(state="stopped")
    settle(instance.pk, now=READY + timedelta(hours=2))
    assert lines(Charge.objects.all()) == [("original", 600, "0.416666667")]
    assert [each.doubt for each in waiting()] == ["from_the_future"]


def test_facts_about_volumes_alike(instance: Instance) -> None:
    volume = instance.volume
    fact = provisioned(volume, READY, observed_at=LATE, size_gib=100)
    settle_due(now=NOW)
    assert (VolumeMeter.objects.get(volume=volume).quarantined, [each.name for each in waiting()]) == (1, [f"volume-{fact.pk}"])
    assert not volume.usage_intervals.exists()
    decide(fact=fact, counts=True, reason="It is there", now=NOW)
    settle_due(now=NOW)
    assert volume.usage_intervals.get().starts_at == READY
    assert waiting() == []


def test_from_the_command_line(late: RunFact) -> None:
    with time_machine.travel(NOW, tick=False):
        billing("settle")
        assert billing("quarantine", "--tenant", "acme") == [
            f"run-{late.pk}: acme, poster: ended at 2026-03-10 10:30:00, says cluster, observed 2026-05-04 23:00:00: too_old"
        ]
        assert billing("decide", f"run-{late.pk}", "--counts", "--reason", "The node says so") == ["2 rows posted."]
        assert billing("quarantine") == []
