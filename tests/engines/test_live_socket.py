"""The socket of an open page: who is let in, what it is sent, when it is closed."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.test import Client
from redis import Redis

from aigc_portal.asgi import application
from engines import live, live_fragments
from engines.audience import Audience, Ticket, audience
from engines.live import tenant_group
from engines.models import Cluster, Instance
from engines.operations.sharing import end_share
from engines.reasons import Reason
from engines.states import DesiredState, InstanceState
from tenants.impersonation.looking import Looking, keep
from tenants.models import Membership, Role, Tenant, User
from tests import factories
from tests.sockets import SECONDS, Socket

pytestmark = pytest.mark.django_db(transaction=True)
S = InstanceState


@pytest.fixture(autouse=True)
def own_valkey(valkey: Redis) -> None:
    """Hear nothing of other tests."""


@pytest.fixture
def instance(acme: Tenant, alice: User, cluster: Cluster) -> Instance:
    return factories.make_instance(acme, alice, cluster, name="<script>alert(1)</script>", state=S.RUNNING)


def cookie_of(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def socket_of(cookie: str, path: str = "/ws/live/acme/", origin: str = "") -> Socket:
    headers = [(b"origin", (origin or settings.PORTAL_ORIGIN).encode())]
    if cookie:
        headers.append((b"cookie", f"{settings.SESSION_COOKIE_NAME}={cookie}".encode()))
    return Socket(application, path, headers)


@asynccontextmanager
async def open_page(user: User, path: str = "/ws/live/acme/") -> AsyncIterator[Socket]:
    socket = socket_of(await sync_to_async(cookie_of)(user), path)
    assert await socket.connect()
    assert await socket.text() == ""
    try:
        yield socket
    finally:
        await socket.leave()


async def announce(instance: Instance) -> None:
    message = {"type": "instance.changed", "instance_id": str(instance.pk)}
    await get_channel_layer().group_send(tenant_group(instance.tenant_id), message)


async def test_a_member_is_sent_the_row_that_changed(alice: User, instance: Instance) -> None:
    async with open_page(alice) as socket:
        await announce(instance)
        fragment = await socket.text()
    assert fragment.startswith(f'<li id="instance-{instance.slug}"')
    assert 'hx-swap-oob="true"' in fragment
    assert "Running" in fragment
    assert f"/acme/instances/{instance.slug}/pause/" in fragment
    assert "<script>" not in fragment
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in fragment


@pytest.mark.parametrize(
    ("path", "changes", "greeting"), [("/acme/", 0, ""), ("/acme/", 1, "changed"), ("instance", 1, "changed")]
)
async def test_a_page_hears_that_it_missed_something_before_its_socket_opened(
    alice: User, instance: Instance, path: str, changes: int, greeting: str
) -> None:
    def read_page() -> str:
        client = Client()
        client.force_login(alice)
        live.announce(instance)  # known to the page
        address = f"/acme/instances/{instance.slug}/" if path == "instance" else path
        found = re.search(r'data-seen="(\d+)"', client.get(address).content.decode())
        assert found
        for _change in range(changes):
            live.announce(instance)
        return found[1]

    seen = await sync_to_async(read_page)()
    socket = socket_of(await sync_to_async(cookie_of)(alice), f"/ws/live/acme/?seen={seen}")
    assert await socket.connect()
    assert await socket.text() == greeting
    await socket.leave()


async def test_a_message_of_a_process_arrives_also_after_valkey_has_dropped_its_connections(
    alice: User, instance: Instance, valkey: Redis
) -> None:
    async with open_page(alice) as socket:
        await sync_to_async(live.announce)(instance)
        assert "Running" in await socket.text()
        drop_connections(valkey)
        await sync_to_async(live.announce)(instance)
        assert "Running" in await socket.text()


def drop_connections(valkey: Redis) -> None:
    """End every connection to the database of this process; other processes' tests keep theirs."""
    own, database = valkey.client_id(), str(valkey.connection_pool.connection_kwargs["db"])
    for each in valkey.client_list(_type="normal"):
        if each["db"] == database and int(each["id"]) != own:
            assert valkey.client_kill_filter(_id=each["id"]) == 1


async def test_a_forked_process_is_heard(alice: User, instance: Instance) -> None:
    async with open_page(alice) as socket:
        await sync_to_async(live.announce)(instance)
        assert "Running" in await socket.text()
        await sync_to_async(announce_in_child)(instance)
        assert "Running" in await socket.text()


def announce_in_child(instance: Instance) -> None:
    child = os.fork()
    if child == 0:
        live.announce(instance)
        os._exit(0)
    os.waitpid(child, 0)


async def test_a_colleague_is_sent_the_row_without_buttons(acme: Tenant, instance: Instance) -> None:
    carl = await sync_to_async(factories.make_user)("carl")
    await sync_to_async(factories.join)(carl, acme)
    async with open_page(carl) as socket:
        await announce(instance)
        fragment = await socket.text()
    assert f'id="instance-{instance.slug}"' in fragment
    assert "/pause/" not in fragment
    assert "/delete/" not in fragment


async def test_a_guest_is_sent_the_way_in_until_the_share_ends(
    acme: Tenant, instance: Instance, alice_in_acme: Membership
) -> None:
    carl = await sync_to_async(factories.make_user)("carl")
    await sync_to_async(factories.join)(carl, acme)
    share = await sync_to_async(factories.share)(instance, carl)
    async with open_page(carl) as socket:
        await announce(instance)
        fragment = await socket.text()
        assert (f"{instance.slug}.engines" in fragment, "shared with you" in fragment, "/pause/" in fragment) == (
            True,
            True,
            False,
        )
        await sync_to_async(end_share)(share=share, by=alice_in_acme)  # which announces it
        fragment = await socket.text()
        assert (f"{instance.slug}.engines" in fragment, "shared with you" in fragment) == (False, False)


async def test_who_looks_as_somebody_hears_nothing_not_even_as_a_member(alice: User, instance: Instance) -> None:
    def look() -> str:
        cookie = cookie_of(alice)
        session = SessionStore(cookie)
        keep(session, Looking("k", alice.pk, instance.owner_id, "x", "2999-01-01T00:00:00+00:00"))
        session.save()
        return cookie

    socket = socket_of(await sync_to_async(look)())
    assert await socket.connect()
    assert await socket.closing_code() == 4404


@pytest.mark.parametrize(("who", "code"), [("bob", 4404), ("nobody", 4401)])
async def test_strangers_are_turned_away(who: str, code: int, acme: Tenant, bob: User, instance: Instance) -> None:
    cookie = await sync_to_async(cookie_of)(bob) if who == "bob" else ""
    socket = socket_of(cookie)
    assert await socket.connect()
    assert await socket.closing_code() == code
    await announce(instance)
    assert await socket.receive_nothing()


async def test_another_origin_is_turned_away(alice: User) -> None:
    socket = socket_of(await sync_to_async(cookie_of)(alice), origin=f"http://evil.{settings.ENGINES_DOMAIN}")
    assert not await socket.connect()


async def test_a_page_of_one_instance_hears_of_that_one_alone(
    acme: Tenant, alice: User, cluster: Cluster, instance: Instance
) -> None:
    other = await sync_to_async(factories.make_instance)(acme, alice, cluster, state=S.STARTING)
    async with open_page(alice, f"/ws/live/acme/?instance={instance.slug}") as socket:
        await announce(other)
        await announce(instance)
        fragment = await socket.text()
    assert fragment.lstrip().startswith(f'<section id="page-{instance.slug}"')


async def test_fragments_speak_the_pages_language(alice: User, instance: Instance) -> None:
    async with open_page(alice, "/ws/live/acme/?lang=xx") as socket:
        await announce(instance)
        assert "Running" in await socket.text()


async def test_a_deleted_instance_leaves_the_list(alice: User, instance: Instance) -> None:
    await Instance.objects.filter(pk=instance.pk).aupdate(state=S.DELETED, desired_state=DesiredState.DELETED)
    async with open_page(alice) as socket:
        await announce(instance)
        assert await socket.text() == f'<div id="instance-{instance.slug}" hx-swap-oob="delete"></div>\n'


async def test_an_instance_of_another_tenant_is_never_sent(bolt: Tenant, bob: User, instance: Instance) -> None:
    async with open_page(bob, "/ws/live/bolt/") as socket:
        message = {"type": "instance.changed", "instance_id": str(instance.pk)}
        await get_channel_layer().group_send(tenant_group(bolt.pk), message)
        assert await socket.receive_nothing(timeout=0.3)


async def test_a_lost_membership_closes_the_page(alice: User, alice_in_acme: Membership) -> None:
    async with open_page(alice) as socket:
        await alice_in_acme.adelete()
        await audience.recheck()
        assert await socket.closing_code() == 4404


async def sign_out(user: User) -> None:
    await Session.objects.all().adelete()


async def change_password(user: User) -> None:
    user.set_password("another one altogether")
    await user.asave()


@pytest.mark.parametrize("end", [sign_out, change_password])
async def test_the_end_of_a_session_closes_the_page(end: Callable[[User], object], alice: User) -> None:
    async with open_page(alice) as socket:
        await end(alice)
        await audience.recheck()
        assert await socket.closing_code() == 4401


async def test_one_page_that_cannot_be_closed_keeps_no_other_from_being_checked(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may just have gone by itself, which servers answer with an error."""
    monkeypatch.setattr("engines.audience.RECHECK_SECONDS", 0.05)
    membership, refused = await alice.memberships.aget(), asyncio.Event()
    async with open_page(alice), open_page(bob, "/ws/live/bolt/") as socket:
        seat = next(seat for seat in audience._seats if seat.ticket.membership_id == membership.pk)

        async def refuse(_code: int) -> None:
            refused.set()
            raise RuntimeError("Unexpected ASGI message 'websocket.close'")

        monkeypatch.setattr(seat, "close", refuse)
        await alice.memberships.all().adelete()
        await asyncio.wait_for(refused.wait(), SECONDS)
        await sign_out(bob)
        assert await socket.closing_code() == 4401


async def test_the_last_page_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing takes a server some turns of the loop."""
    monkeypatch.setattr("engines.audience.RECHECK_SECONDS", 0.01)
    present, told = Audience(), asyncio.Event()

    class Slow:
        ticket = Ticket(0, "no session", "")

        async def dismiss(self, code: int) -> None:
            present.leave(self)
            await asyncio.sleep(0)
            assert code == 4401
            told.set()

        def renew(self, membership: Membership) -> None:
            raise AssertionError(membership)

    present.join(Slow())
    await asyncio.wait_for(told.wait(), SECONDS)


async def test_a_new_role_counts_after_the_next_check(
    acme: Tenant, alice: User, anna: User, alice_in_acme: Membership, cluster: Cluster
) -> None:
    annas = await sync_to_async(factories.make_instance)(acme, anna, cluster, state=S.RUNNING)
    async with open_page(alice) as socket:
        await announce(annas)
        assert "/pause/" not in await socket.text()
        await Membership.objects.filter(pk=alice_in_acme.pk).aupdate(role=Role.ADMIN)
        await audience.recheck()
        await announce(annas)
        assert f"/acme/instances/{annas.slug}/pause/" in await socket.text()


async def test_many_pages_share_one_rendering_per_kind_of_reader(
    acme: Tenant, alice: User, anna: User, instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[object] = []
    render = live_fragments._render

    def counting(*args: object) -> str:
        rendered.append(args[1])
        return render(*args)

    monkeypatch.setattr(live_fragments, "_render", counting)
    members = await sync_to_async(lambda: list(Membership.objects.select_related("tenant", "user")))()
    readers = [live_fragments.Reader(member, "en", "UTC") for member in members for _each in range(50)]
    change = live_fragments.change_of(str(instance.pk))
    fragments = await asyncio.gather(*(live_fragments.change_of(str(instance.pk)).for_reader(reader) for reader in readers))
    assert live_fragments.change_of(str(instance.pk)) is not change  # what is announced after the read is read again
    assert len(fragments) == 100
    assert len(rendered) == len(set(fragments)) == 2  # alice owns it, anna owns the tenant and may not enter


async def test_the_newest_state_arrives(alice: User, instance: Instance) -> None:
    async with open_page(alice) as socket:
        for state in (S.STOPPING, S.STOPPED):
            await Instance.objects.filter(pk=instance.pk).aupdate(state=state, desired_state="stopped", reason=Reason.PAUSED)
            await announce(instance)
        last = ""
        while "Paused" not in last:
            last = await socket.text()
