"""What people do with budgets. Each change is in the audit log, and looked at at once."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.accounts import calendar_of, lock_accounts, open_accounts
from billing.budgets import pausing
from billing.budgets.evaluating import evaluate
from billing.errors import BudgetRefused
from billing.models import Budget
from billing.models.budgets import NAME_LENGTH
from billing.money import Money, minor_digits, round_half_even
from engines.errors import NameTaken
from engines.models import GpuClass
from engines.operations.tags import spelled
from tenants import access
from tenants.access import Action
from tenants.audit.operations import Subject, record
from tenants.errors import NotVisible
from tenants.models import Membership, Tenant, User

LIMIT = 50
"""Budgets of a tenant: each is looked at every minute."""
MOST = Decimal(10) ** 9
PERCENTS = range(1, 1001)
THRESHOLDS = 10
GRACE_LIMIT = 7 * 24 * 60


@dataclass(frozen=True, slots=True)
class Wanted:
    """A budget as somebody wants it; at most one of person, tag and GPU class is given."""

    name: str
    amount: Decimal
    currency: str = ""  # the account's present one
    person: User | None = None
    tag: str = ""
    gpu_class: GpuClass | None = None
    recurrence: str = Budget.Recurrence.MONTH
    thresholds: tuple[int, ...] = (50, 80, 100)
    basis: str = Budget.Basis.ACTUAL
    action: str = Budget.Action.NOTIFY
    grace_minutes: int = 30
    active: bool = True


def wanted_of(budget: Budget) -> Wanted:
    """Return a budget as it is, for whoever wants some of it otherwise."""
    return Wanted(
        name=budget.name,
        amount=budget.amount,
        currency=budget.currency,
        person=budget.person,
        tag=budget.tag,
        gpu_class=budget.gpu_class,
        recurrence=budget.recurrence,
        thresholds=tuple(budget.thresholds),
        basis=budget.basis,
        action=budget.action,
        grace_minutes=budget.grace_minutes,
        active=budget.active,
    )


def make_budget(*, by: Membership, wanted: Wanted) -> Budget:
    """Add one. Raises NotAllowed, NameTaken, BudgetRefused."""
    access.require(by, Action.MANAGE_BUDGETS)
    with _once_named(wanted), transaction.atomic():
        open_accounts([by.tenant_id])
        lock_accounts([by.tenant_id])  # so that nobody else counts now
        if Budget.objects.filter(tenant=by.tenant).count() >= LIMIT:
            raise BudgetRefused(_("A team can have %(limit)d budgets. Delete one first.") % {"limit": LIMIT})
        budget = Budget(tenant=by.tenant, made_by=by.user, **_fields(by.tenant, wanted, None))
        budget.save(force_insert=True)
        record("budget.made", actor=by.user, tenant=by.tenant, subject=_subject(budget), details=_told(budget))
    evaluate(budget.pk, now=timezone.now())
    return budget


def change_budget(*, by: Membership, budget: Budget, wanted: Wanted) -> Budget:
    """Let it be as wanted; the same again changes nothing. Raises as make_budget."""
    access.require(by, Action.MANAGE_BUDGETS)
    with _once_named(wanted), transaction.atomic():
        present = _locked(by, budget)
        before = _told(present)
        for name, value in _fields(by.tenant, wanted, present).items():
            setattr(present, name, value)
        after = _told(present)
        changed = {name: [before[name], after[name]] for name in after if before[name] != after[name]}
        if changed:
            present.save()
            record("budget.changed", actor=by.user, tenant=by.tenant, subject=_subject(present), details=changed)
        if not present.active:
            pausing.let_go(present)
    evaluate(present.pk, now=timezone.now())
    return present


@transaction.atomic
def delete_budget(*, by: Membership, budget: Budget) -> None:
    """Remove it, with what was told of it. Raises NotAllowed, NotVisible."""
    access.require(by, Action.MANAGE_BUDGETS)
    present = _locked(by, budget)
    record("budget.deleted", actor=by.user, tenant=by.tenant, subject=_subject(present), details=_told(present))
    present.delete()


@contextmanager
def _once_named(wanted: Wanted) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        if "budget_name_unique_in_tenant" not in str(error):
            raise
        raise NameTaken(_("There is a budget “%(name)s” already.") % {"name": wanted.name}) from error


def _locked(by: Membership, budget: Budget) -> Budget:
    rows = Budget.objects.select_related("tenant", "person", "gpu_class")
    present = rows.select_for_update(no_key=True, of=("self",)).filter(pk=budget.pk, tenant=by.tenant).first()
    if present is None:
        raise NotVisible(_("There is nothing here, or it is not yours."))
    return present


def _fields(tenant: Tenant, wanted: Wanted, present: Budget | None) -> dict[str, object]:
    """Return the columns, all of them sensible. Whoever a present budget is for may have left; it can be changed all the same."""
    name = " ".join(wanted.name.split())
    tag = spelled(tenant, wanted.tag)
    currency = wanted.currency or calendar_of(tenant).currency_at(timezone.now())
    if not name or len(name) > NAME_LENGTH:
        raise BudgetRefused(_("A name has 1 to %(limit)d characters.") % {"limit": NAME_LENGTH})
    if sum(map(bool, (wanted.person, tag, wanted.gpu_class))) > 1:
        raise BudgetRefused(_("A budget is for one person, one project or one GPU class, or for the whole team."))
    if present is None or present.person != wanted.person:
        _require_member(tenant, wanted.person)
    if wanted.basis == Budget.Basis.FORECAST and wanted.action != Budget.Action.NOTIFY:
        raise BudgetRefused(_("A forecast can only be told: nothing is refused or paused for what is not spent."))
    if not 0 <= wanted.grace_minutes <= GRACE_LIMIT:
        raise BudgetRefused(_("What runs is paused within a week at the latest."))
    return {
        "name": name,
        "person": wanted.person,
        "tag": tag,
        "gpu_class": wanted.gpu_class,
        "currency": currency,
        "amount": _sensible_amount(wanted.amount, currency),
        "recurrence": Budget.Recurrence(wanted.recurrence),
        "thresholds": _sensible_thresholds(wanted.thresholds),
        "basis": Budget.Basis(wanted.basis),
        "action": Budget.Action(wanted.action),
        "grace_minutes": wanted.grace_minutes,
        "active": wanted.active,
    }


def _require_member(tenant: Tenant, person: User | None) -> None:
    if person is not None and not tenant.memberships.filter(user=person).exists():
        raise BudgetRefused(_("There is no such member."))


def _sensible_amount(amount: Decimal, currency: str) -> Decimal:
    if not amount.is_finite() or not 0 < amount < MOST:
        raise BudgetRefused(_("An amount is above 0 and below a thousand million."))
    if round_half_even(amount, minor_digits(currency)) != amount:
        digits = minor_digits(currency)
        raise BudgetRefused(
            _("An amount in %(currency)s has at most %(digits)d decimals.") % {"currency": currency, "digits": digits}
        )
    return amount


def _sensible_thresholds(thresholds: Iterable[int]) -> list[int]:
    found = sorted(set(thresholds))
    if not found or len(found) > THRESHOLDS or not all(each in PERCENTS for each in found):
        raise BudgetRefused(_("Tell people at one to ten thresholds, each between 1 and 1000 per cent."))
    return found


def _subject(budget: Budget) -> Subject:
    return Subject("budget", str(budget.pk), budget.name)


def _told(budget: Budget) -> dict[str, object]:
    """Return the budget as the audit log has it."""
    return {
        "name": budget.name,
        "scope": budget.scope.value,
        "about": budget.about,
        "amount": Money(budget.amount, budget.currency).exact,
        "recurrence": str(budget.recurrence),
        "thresholds": list(budget.thresholds),
        "basis": str(budget.basis),
        "action": str(budget.action),
        "grace_minutes": budget.grace_minutes,
        "active": budget.active,
    }
