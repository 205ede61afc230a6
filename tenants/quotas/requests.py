"""Asking for a higher limit, and what becomes of it: the tenant's owners and admins decide, operators where it is their limit."""

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from tenants import access
from tenants.access import Action
from tenants.audit.operations import Subject, record
from tenants.errors import NotAllowed, NotVisible
from tenants.models import Membership
from tenants.quotas.ceilings import ceilings_over
from tenants.quotas.measures import Scope, shown
from tenants.quotas.models import REASON_LENGTH, QuotaRequest, QuotaRequestStep
from tenants.quotas.operations import own_limit, raise_own_limit, set_quota
from tenants.quotas.refusal import CannotAsk
from tenants.quotas.telling import tell_admins, tell_asker
from tenants.team.locks import lock_for

State = QuotaRequest.State
Kind = QuotaRequestStep.Kind


@transaction.atomic
def ask_for_more(*, by: Membership, scope: Scope, wanted: int, reason: str) -> QuotaRequest:
    """Ask for so much, for oneself or the whole tenant; owners' and admins' requests for the tenant go to operators at once."""
    by = lock_for(by)
    access.require(by, Action.LAUNCH)
    if not 0 < len(reason.strip()) <= REASON_LENGTH:
        raise CannotAsk(_("Say what you need it for, in %(limit)d characters at most.") % {"limit": REASON_LENGTH})
    _require_more(by, scope, wanted)
    request = QuotaRequest(
        tenant=by.tenant,
        asker=by.user,
        whole_tenant=scope.whole_tenant,
        measure=scope.measure,
        gpu_class_id=scope.gpu_class_id,
        wanted=wanted,
        reason=reason.strip(),
    )
    try:
        with transaction.atomic():
            request.save()
    except IntegrityError as error:
        raise CannotAsk(_("You have asked for more of this already. Withdraw that request to make another.")) from error
    _step(request, by, Kind.ASKED, amount=wanted, word=request.reason)
    if scope.whole_tenant and access.may(by, Action.MANAGE_LIMITS):
        _step(request, by, Kind.PASSED_ON)
    else:
        tell_admins(request)
    return request


@transaction.atomic
def withdraw_request(*, by: Membership, request: QuotaRequest) -> None:
    """Take one's own request back."""
    by = lock_for(by)
    request = _lock_pending(by, request)
    if request.asker_id != by.user_id:
        raise NotAllowed(_("Only whoever asked can withdraw a request."))
    _step(request, by, Kind.WITHDRAWN)


@transaction.atomic
def pass_on_request(*, by: Membership, request: QuotaRequest, word: str = "") -> None:
    """Leave the decision to operators, because it is their limit."""
    by = lock_for(by)
    access.require(by, Action.MANAGE_LIMITS)
    request = _lock_pending(by, request)
    if request.state == State.PASSED_ON:
        raise CannotAsk(_("Operators have this request already."))
    _step(request, by, Kind.PASSED_ON, word=word)
    tell_asker(request, by.user, word)


@transaction.atomic
def refuse_request(*, by: Membership, request: QuotaRequest, word: str) -> None:
    """Say no, and why."""
    by = lock_for(by)
    access.require(by, Action.MANAGE_LIMITS)
    if not word.strip():
        raise CannotAsk(_("Say why, in a word or two."))
    request = _lock_pending(by, request)
    _step(request, by, Kind.REFUSED, word=word)
    tell_asker(request, by.user, word)


@transaction.atomic
def approve_request(*, by: Membership, request: QuotaRequest, amount: int, word: str = "") -> None:
    """Raise the limit to so much. Raises tenants.quotas.refusal.BeyondCeiling where only operators can; theirs rises with it."""
    by = lock_for(by)
    access.require(by, Action.MANAGE_LIMITS)
    if amount < 1:
        raise CannotAsk(_("To grant nothing is to refuse."))
    request = _lock_pending(by, request)
    if not by.tenant.memberships.filter(user=request.asker_id).exists():
        names = {"person": request.asker, "tenant": by.tenant}
        raise CannotAsk(_("%(person)s is no member of %(tenant)s any more. The request can only be refused.") % names)
    if by.is_operator:
        _raise_ceilings(by, request.scope, amount)
    raise_own_limit(by=by, scope=request.scope, limit=amount)
    request.granted = amount
    _step(request, by, Kind.APPROVED, amount=amount, word=word)
    tell_asker(request, by.user, word)


def _raise_ceilings(by: Membership, scope: Scope, amount: int) -> None:
    """Raise what stands in the way: the ceiling of all classes together, and that of the class."""
    for gpu_class_id, ceiling in ceilings_over(by.tenant, scope.measure, scope.gpu_class_id).items():
        if ceiling < amount:
            set_quota(by=by, scope=Scope(scope.measure, gpu_class_id), limit=amount)


def _require_more(by: Membership, scope: Scope, wanted: int) -> None:
    """Refuse to ask for what nothing stands in the way of."""
    limits = [own_limit(by.tenant, scope)]
    if scope.whole_tenant:
        limits += ceilings_over(by.tenant, scope.measure, scope.gpu_class_id).values()
    present = min((each for each in limits if each is not None), default=None)
    if present is None:
        raise CannotAsk(_("There is no such limit."))
    if wanted <= present:
        raise CannotAsk(_("The limit is %(limit)s already. Ask for more.") % {"limit": shown(scope.measure, present)})


def _lock_pending(by: Membership, request: QuotaRequest) -> QuotaRequest:
    rows = QuotaRequest.objects.select_for_update(of=("self",)).select_related("tenant", "asker", "gpu_class")
    found = rows.filter(pk=request.pk, tenant_id=by.tenant_id).first()
    if found is None:
        raise NotVisible(_("There is nothing here, or it is not yours."))
    if not found.pending:
        raise CannotAsk(_("This request is closed: %(state)s.") % {"state": found.get_state_display()})
    return found


def _step(request: QuotaRequest, by: Membership, kind: str, *, amount: int | None = None, word: str = "") -> None:
    """Write down what happened to it, in its history and in the audit log."""
    if len(word) > REASON_LENGTH:
        raise CannotAsk(_("A word is %(limit)d characters at most.") % {"limit": REASON_LENGTH})
    if kind != Kind.ASKED:
        request.state = State(kind)
        request.save(update_fields=["state", "granted"])
    request.steps.create(kind=kind, by=by.user, by_operator=by.is_operator, amount=amount, word=word.strip())
    record(
        f"quota_request.{kind}",
        actor=by.user,
        tenant=request.tenant,
        subject=Subject("quota_request", str(request.pk), request.title),
        details={"amount": amount, "word": word.strip(), "whole_tenant": request.whole_tenant},
    )
