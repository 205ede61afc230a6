"""What became of one attempt."""

from dataclasses import dataclass
from datetime import timedelta

from tenants.notifications.models import Problem


@dataclass(frozen=True)
class Outcome:
    """Delivered if there is no problem; `status` is the HTTP answer, `detail` raw text for whoever looks into it."""

    problem: Problem | None = None
    status: int | None = None
    detail: str = ""
    pause: timedelta = timedelta(0)
    """The least time that the receiver asks for before the next attempt."""
    receiver_ails: bool = False
    """The receiver as a whole is away or overloaded: it would take nothing else either."""
    hopeless: bool = False
    """No later attempt can succeed."""
    gone: bool = False
    """The receiver wants nothing more, for ever."""


DELIVERED = Outcome()
