"""Who holds a socket open, and whether they still may: asked for all of them together, every few seconds."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from django.contrib.sessions.models import Session
from django.db import DatabaseError
from django.utils import timezone

from engines.live_fragments import in_thread
from tenants.models import Membership

log = logging.getLogger(__name__)
RECHECK_SECONDS = 4.0
SIGNED_OUT = 4401
STRANGER = 4404


@dataclass(frozen=True)
class Ticket:
    """By what somebody was let in: a session (with the password it was made under) and a membership."""

    membership_id: int
    session_key: str
    auth_hash: str


class Seat(Protocol):
    """A socket that is let in."""

    ticket: Ticket

    def renew(self, membership: Membership) -> None: ...
    async def dismiss(self, code: int) -> None: ...


class Audience:
    """The sockets of this process."""

    def __init__(self) -> None:
        self._seats: set[Seat] = set()
        self._rechecking: asyncio.Task[None] | None = None

    def join(self, seat: Seat) -> None:
        """Take a seat; the first one starts the rounds."""
        self._seats.add(seat)
        if self._rechecking is None or self._rechecking.done():
            self._rechecking = asyncio.ensure_future(self._rounds())

    def leave(self, seat: Seat) -> None:
        """Give the seat up; the last one ends the rounds."""
        self._seats.discard(seat)
        # Rounds that are just showing the last one out end by themselves.
        if not self._seats and self._rechecking is not None and self._rechecking is not asyncio.current_task():
            self._rechecking.cancel()
            self._rechecking = None

    async def recheck(self) -> None:
        """Renew what each socket knows of its membership, and dismiss those who may no longer look."""
        seats = list(self._seats)
        standing = await in_thread(lambda: standing_of({seat.ticket for seat in seats}))
        for seat in seats:
            found = standing[seat.ticket]
            if isinstance(found, Membership):
                seat.renew(found)
            elif seat in self._seats:
                await _dismiss(seat, found)

    async def _rounds(self) -> None:
        while self._seats:
            await asyncio.sleep(RECHECK_SECONDS)
            try:
                await self.recheck()
            except DatabaseError as error:
                log.warning("the sockets' memberships were not checked this time: %s", error)


async def _dismiss(seat: Seat, code: int) -> None:
    try:
        await seat.dismiss(code)
    except Exception:  # a page that has just gone by itself must not keep the others from being checked, now or ever
        log.exception("a socket could not be closed")


def standing_of(tickets: Iterable[Ticket]) -> dict[Ticket, Membership | int]:
    """Return each ticket's membership with tenant and user, or the code to close with; two queries for all of them."""
    tickets = set(tickets)
    members = Membership.objects.select_related("tenant", "user").filter(user__is_active=True, lapsed_at=None)
    memberships = members.in_bulk([ticket.membership_id for ticket in tickets])
    keys = {ticket.session_key for ticket in tickets}
    alive = Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
    sessions = set(alive.values_list("session_key", flat=True))
    return {ticket: _standing(ticket, memberships.get(ticket.membership_id), sessions) for ticket in tickets}


def _standing(ticket: Ticket, membership: Membership | None, sessions: set[str]) -> Membership | int:
    if ticket.session_key not in sessions:
        return SIGNED_OUT
    if membership is None:
        return STRANGER
    # A changed password ends every session made before it.
    return membership if membership.user.get_session_auth_hash() == ticket.auth_hash else SIGNED_OUT


audience = Audience()
