"""Who is told of requests for higher limits: whoever can grant them, and whoever asked."""

from tenants import access
from tenants.access import Action
from tenants.models import User
from tenants.notifications.operations import notify
from tenants.quotas.measures import ABOUT, to_number
from tenants.quotas.models import QuotaRequest

_KINDS = {
    QuotaRequest.State.APPROVED: "limit_raised",
    QuotaRequest.State.REFUSED: "limit_refused",
    QuotaRequest.State.PASSED_ON: "limit_passed_on",
}


def tell_admins(request: QuotaRequest) -> None:
    """Tell those who can decide about it; whoever asks knows."""
    roles = access.roles_that_may(Action.MANAGE_LIMITS)
    deciders = User.objects.filter(memberships__tenant=request.tenant, memberships__role__in=roles)
    notify(
        tenant=request.tenant,
        kind="limit_asked",
        recipients=deciders.exclude(pk=request.asker_id),
        key=str(request.pk),
        context={
            "by": str(request.asker),
            "why": ABOUT[request.measure],
            "wanted": _number(request, request.wanted),
            "reason": request.reason,
        },
    )


def tell_asker(request: QuotaRequest, by: User, word: str) -> None:
    """Tell whoever asked what has become of it, unless they did it themselves."""
    if by.pk == request.asker_id:
        return
    context = {"by": str(by), "why": ABOUT[request.measure], "word": word.strip()}
    if request.granted is not None:
        context["granted"] = _number(request, request.granted)
    notify(
        tenant=request.tenant,
        kind=_KINDS[QuotaRequest.State(request.state)],
        recipients=[request.asker],
        key=f"{request.pk}:{request.state}",
        context=context,
    )


def _number(request: QuotaRequest, amount: int) -> str:
    number = f"{to_number(request.measure, amount):f}"
    return f"{number} ({request.gpu_class})" if request.gpu_class else number
