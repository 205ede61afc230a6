"""Who looks as whom: kept in the operator's own session, which stays theirs, and asked anew at every request."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from tenants.models import User

LIMIT = timedelta(minutes=30)
LOOK = "tenants.look_as"
ACT = "tenants.act_as"
CONSOLE = "tenants.use_console"
_KEY = "looking"


@dataclass(frozen=True, slots=True)
class Looking:
    """An operator's look as one person, until a moment (ISO 8601). `acting`: they change things in that person's name.

    `key` names it in the audit log.
    """

    key: str
    operator_id: int
    person_id: int
    reason: str
    until: str
    acting: bool = False

    def is_over(self, now: datetime) -> bool:
        """Tell whether its time has passed."""
        return now >= datetime.fromisoformat(self.until)


def looking_in(session: SessionBase) -> Looking | None:
    """Return the look that the session has, over or not."""
    kept = session.get(_KEY)
    return Looking(**kept) if kept else None


def keep(session: SessionBase, looking: Looking) -> None:
    """Write it into the session, in place of another."""
    session[_KEY] = asdict(looking)


def forget(session: SessionBase) -> None:
    """Take it out of the session."""
    session.pop(_KEY, None)


def may_look(operator: User) -> bool:
    """Tell whether somebody is an operator who may look as others."""
    return operator.is_active and operator.is_staff and operator.has_perms([CONSOLE, LOOK])


def may_act(operator: User) -> bool:
    """Tell whether they may change things in others' names, too."""
    return may_look(operator) and operator.has_perm(ACT)


def can_be_looked_as(person: User) -> bool:
    """Tell whether somebody's eyes can be lent: nobody's who has rights over other people's tenants."""
    return person.is_active and not person.is_staff and not person.is_superuser and not person.get_all_permissions()


def operator_behind(request: HttpRequest) -> User | None:
    """Return the operator who looks as the request's person, if one does."""
    found = getattr(request, "operator_behind", None)
    return found if isinstance(found, User) else None
