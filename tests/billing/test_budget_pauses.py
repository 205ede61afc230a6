"""A budget that pauses: a warning, the grace, one pause; and all is taken back when there is room again."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from billing.budgets.evaluating import evaluate, evaluate_all
from billing.errors import BudgetReached
from billing.manual import add_adjustment, add_credit
from billing.models import Budget, BudgetPause
from engines.models import Instance, InstanceEvent
from engines.operations.instances import resume_instance
from engines.states import DesiredState, InstanceState
from tenants.audit.models import AuditEvent
from tenants.models import Membership, Tenant, User
from tenants.notifications.models import Notification
from tests import factories
from tests.billing.budgets import make, spend

NOW = timezone.now().replace(microsecond=0)
LATER = NOW + timedelta(minutes=30)


@pytest.fixture
def budget(acme: Tenant, anna: User, instance: Instance) -> Budget:
    """Used up, with alice's engine running on it."""
    add_adjustment(tenant=acme, amount=Decimal(100), reason="test", now=NOW)
    return make(acme, made_by=anna, action="pause", name="Spring")


def kinds() -> list[str]:
    return list(Notification.objects.filter(kind__startswith="budget").order_by("created_at").values_list("kind", flat=True))


def wishes() -> list[str]:
    return list(InstanceEvent.objects.filter(kind="wish").values_list("reason", flat=True))


def test_first_a_warning_then_a_pause_and_each_once(budget: Budget, instance: Instance, alice: User) -> None:
    for now in (NOW, NOW + timedelta(minutes=1), LATER - timedelta(seconds=1)):
        evaluate(budget.pk, now=now)
        assert wishes() == []
    assert kinds() == ["budget_used_up", "budget_pausing"]
    warning = Notification.objects.get(kind="budget_pausing")
    assert warning.context == {"name": "Spring", "engines": "poster", "pauses_at": LATER.isoformat()}
    assert sorted(warning.recipients.values_list("user__username", flat=True)) == ["alice", "anna"]
    for now in (LATER, LATER, LATER + timedelta(hours=1)):
        evaluate_all(now=now)
    instance.refresh_from_db()
    assert (instance.desired_state, instance.wish_reason) == (DesiredState.STOPPED, "budget_spent")
    assert wishes() == ["budget_spent"]
    assert kinds() == ["budget_used_up", "budget_pausing", "budget_paused"]
    assert BudgetPause.objects.get().paused_at == LATER
    event = AuditEvent.objects.get(kind="budget.paused_engines")
    assert (event.actor, event.tenant, event.details) == (None, instance.tenant, {"engines": ["poster"]})


def test_what_is_paused_cannot_be_resumed_until_there_is_room(
    budget: Budget, instance: Instance, alice_in_acme: Membership, h100
) -> None:
    evaluate(budget.pk, now=NOW)
    evaluate(budget.pk, now=LATER)
    Instance.objects.update(state=InstanceState.STOPPED)
    with pytest.raises(BudgetReached):
        resume_instance(instance=instance, by=alice_in_acme)
    Budget.objects.update(amount=200)
    resume_instance(instance=instance, by=alice_in_acme)
    evaluate(budget.pk, now=LATER + timedelta(minutes=1))
    assert not BudgetPause.objects.exists()
    assert Instance.objects.counted().count() == 1


@pytest.mark.parametrize("lift", ["raised", "in another currency", "off", "tells only", "corrected"])
def test_room_within_the_grace_takes_the_pause_back(lift: str, budget: Budget, acme: Tenant) -> None:
    evaluate(budget.pk, now=NOW)
    if lift == "corrected":
        add_credit(tenant=acme, amount=Decimal(1), reason="test", now=NOW)
    else:
        changes = {
            "raised": {"amount": 300},
            "in another currency": {"currency": "EUR"},
            "off": {"active": False},
            "tells only": {"action": "notify"},
        }[lift]
        Budget.objects.update(**changes)
    evaluate_all(now=LATER)
    assert BudgetPause.objects.exists() == (lift == "off")  # which nobody looks at
    evaluate_all(now=LATER + timedelta(hours=1))
    assert wishes() == []


def test_used_up_again_it_warns_again_before_it_pauses(budget: Budget, acme: Tenant) -> None:
    evaluate(budget.pk, now=NOW)
    add_credit(tenant=acme, amount=Decimal(1), reason="test", now=NOW)
    evaluate(budget.pk, now=NOW + timedelta(minutes=10))
    add_adjustment(tenant=acme, amount=Decimal(1), reason="test", now=NOW)
    evaluate(budget.pk, now=NOW + timedelta(minutes=20))
    evaluate(budget.pk, now=LATER)
    assert wishes() == []
    assert kinds() == ["budget_used_up", "budget_pausing", "budget_pausing"]  # no second alert, case 21
    evaluate(budget.pk, now=LATER + timedelta(minutes=20))
    assert wishes() == ["budget_spent"]


def test_only_what_it_is_about_is_paused(budget: Budget, acme: Tenant, make_running, h100) -> None:
    carol = factories.make_user("carol")
    factories.join(carol, acme)
    others = make_running(owner=carol, name="banner", tag="Autumn")
    Budget.objects.update(tag="Spring", amount=Decimal("0.01"))
    ours = make_running(name="trailer", tag="Spring")
    spend(ours, 1, end=NOW, run_id="before")
    evaluate(budget.pk, now=NOW)
    evaluate(budget.pk, now=LATER)
    running = Instance.objects.counted().order_by("name").values_list("name", flat=True)
    assert list(running) == ["banner", "poster"]
    assert others.name == "banner"


def test_with_nothing_running_nobody_is_warned_of_a_pause(budget: Budget) -> None:
    Instance.objects.update(state=InstanceState.STOPPED, desired_state=DesiredState.STOPPED)
    evaluate(budget.pk, now=NOW)
    evaluate(budget.pk, now=LATER)
    assert kinds() == ["budget_used_up"]
    assert not AuditEvent.objects.filter(kind="budget.paused_engines").exists()


def test_a_budget_that_blocks_pauses_nothing(budget: Budget) -> None:
    Budget.objects.update(action="block")
    evaluate(budget.pk, now=NOW)
    evaluate(budget.pk, now=LATER)
    assert wishes() == []
    assert not BudgetPause.objects.exists()
