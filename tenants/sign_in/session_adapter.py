"""How allauth's page of sessions ends them."""

from collections.abc import Iterable

from allauth.core import context
from allauth.usersessions.adapter import DefaultUserSessionsAdapter
from allauth.usersessions.models import UserSession

from tenants.models import User
from tenants.sign_in.sessions import end_sessions


class SessionAdapter(DefaultUserSessionsAdapter):  # type: ignore[misc]
    """Ends what stands on a session too, and writes it down."""

    def end_sessions(self, sessions: Iterable[UserSession]) -> None:
        """End these sessions, which are one person's."""
        ended = list(sessions)
        by = context.request.user if context.request is not None and isinstance(context.request.user, User) else None
        for user in {each.user for each in ended}:
            end_sessions(user, [each.session_key for each in ended if each.user == user], by=by, why="revoked")
