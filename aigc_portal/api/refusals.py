"""Which problem a refusal of the domain is; the domain itself knows no HTTP."""

from aigc_portal.api.problems import Problem, not_found
from billing.errors import BudgetReached
from engines.errors import NameTaken, Unavailable
from engines.file_words import FileRefused
from engines.files.base import Refusal
from tenants.errors import NotAllowed, NotVisible, PortalError, QuotaExceeded

_REFUSALS: tuple[tuple[type[PortalError], str], ...] = (
    (NotAllowed, "not-allowed"),
    (NameTaken, "name-taken"),
    (QuotaExceeded, "limit-reached"),
    (BudgetReached, "budget-reached"),
    (Unavailable, "unavailable"),
    (PortalError, "unavailable"),
)
_FILE_REFUSALS = {
    Refusal.BAD_PATH: "invalid",
    Refusal.BAD_NAME: "invalid",
    Refusal.BAD_PIECE: "invalid",
    Refusal.NOT_FOUND: "not-found",
    Refusal.EXISTS: "name-taken",
    Refusal.FULL: "limit-reached",
    Refusal.DENIED: "not-allowed",
    Refusal.CUT_OFF: "away",
    Refusal.UNAVAILABLE: "away",
}


def problem_of(refusal: PortalError) -> Problem:
    """Return the problem with the refusal's own sentence; what is not visible is always answered alike."""
    if isinstance(refusal, NotVisible):
        return not_found()
    if isinstance(refusal, FileRefused):
        return Problem(_FILE_REFUSALS.get(refusal.refusal, "unavailable"), str(refusal))
    return Problem(next(code for kind, code in _REFUSALS if isinstance(refusal, kind)), str(refusal))
