"""The WebSocket of an open page: it hears ids, and sends the fragments that this person may see."""

from dataclasses import replace
from urllib.parse import parse_qs

from channels.consumer import get_handler_name
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from engines.audience import SIGNED_OUT, STRANGER, Ticket, audience
from engines.live import announced, tenant_group
from engines.live_fragments import Reader, change_of, in_thread
from tenants import access
from tenants.errors import NotVisible
from tenants.impersonation.looking import looking_in
from tenants.models import Membership, User
from tenants.zones import known_zone


class LiveConsumer(AsyncWebsocketConsumer):
    """`/ws/live/<tenant>/?lang=…&instance=…&seen=…`: rows of the list, or the head of one instance's page.

    Greets once every later change will be sent: with an empty message, or with `changed` if the page, which has `seen` so many
    announcements (see live.announced), has missed one. Closes with 4404 for strangers, 4401 without a session.
    """

    ticket: Ticket
    reader: Reader | None = None
    group = ""

    async def dispatch(self, message: dict[str, str]) -> None:
        """Call the handler, without the trip to another thread that Channels makes to close database connections first.

        `in_thread` closes those of this consumer, and the trip is most of what a message to two hundred pages costs.
        """
        await getattr(self, get_handler_name(message))(message)

    async def connect(self) -> None:
        """Let a member in."""
        await self.accept()
        user, session = self.scope["user"], self.scope["session"]
        if not user.is_authenticated:
            await self.close(SIGNED_OUT)
            return
        if await in_thread(lambda: looking_in(session)) is not None:
            await self.close(STRANGER)  # the page shows somebody else's portal, and this would be the operator's own
            return
        membership = await in_thread(lambda: _membership(user, self.scope["url_route"]["kwargs"]["tenant_slug"]))
        if membership is None:
            await self.close(STRANGER)
            return
        self.ticket = Ticket(membership.pk, session.session_key, user.get_session_auth_hash())
        wanted = parse_qs(self.scope["query_string"].decode("latin-1"))
        language = wanted.get("lang", [""])[0]
        self.reader = Reader(
            membership=membership,
            language=language if language in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE,
            zone=known_zone(user.time_zone).key,
            shows=wanted.get("instance", [""])[0],
        )
        self.group = tenant_group(membership.tenant_id)
        await self.channel_layer.group_add(self.group, self.channel_name)
        audience.join(self)
        seen = wanted.get("seen", [""])[0]
        missed = seen and seen != await in_thread(lambda: announced(membership.tenant_id))
        await self.send(text_data="changed" if missed else "")

    async def disconnect(self, code: int) -> None:  # noqa: ARG002 - Channels passes it
        """Hear nothing more."""
        self.reader = None
        audience.leave(self)
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Ignore what browsers say: wishes go by POST."""

    async def instance_changed(self, event: dict[str, str]) -> None:
        """Send what changed, as this person sees it."""
        if self.reader is None:
            return
        fragment = await change_of(event["instance_id"]).for_reader(self.reader)
        if fragment and self.reader is not None:
            await self.send(text_data=fragment)

    def renew(self, membership: Membership) -> None:
        """Use the newest role and tenant."""
        if self.reader is not None:
            self.reader = replace(self.reader, membership=membership, zone=known_zone(membership.user.time_zone).key)

    async def dismiss(self, code: int) -> None:
        """Send nothing more, and close."""
        self.reader = None
        audience.leave(self)
        await self.close(code)


def _membership(user: User, tenant_slug: str) -> Membership | None:
    try:
        return access.membership_in(user, tenant_slug)
    except NotVisible:
        return None
