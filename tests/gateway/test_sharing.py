"""Guests at the real gateway: let in by a share, and no longer than that."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from websockets.exceptions import InvalidStatus

from engines.models import Share
from engines.operations import sharing
from gateway import handoff
from gateway.memory import KEEP_SECONDS, Memory
from gateway.standing import Verdict, Visitor, look_up, look_up_in_thread
from gateway.tokens import Keyring
from tenants.models import Membership, Role, Tenant
from tests import factories
from tests.gateway.conftest import portal_client
from tests.gateway.test_access import SOON_SECONDS, authorize_path
from tests.gateway.test_streams import open_socket
from tests.waiting import wait_until


@pytest.fixture
def carol_in_acme(acme) -> Membership:
    return factories.join(factories.make_user("carol"), acme)


@pytest.fixture
def share(instance, carol_in_acme) -> Share:
    return factories.share(instance, carol_in_acme.user)


@pytest.fixture
def as_guest(gateway, instance, share, carol_in_acme) -> str:
    """Carol's cookie on the engine's host."""
    return gateway.sign_in(portal_client(carol_in_acme.user), instance)


def hours_ago(hours: int):
    return timezone.now() - timedelta(hours=hours)


def hand_over() -> None:
    dora = factories.join(factories.make_user("dora"), Tenant.objects.get(slug="acme"))
    owner = Membership.objects.select_related("tenant", "user").get(user__username="alice")
    sharing.hand_over_instance(instance=Share.objects.get().instance, by=owner, to=dora.user)


ENDS = {
    "ended": (lambda: Share.objects.update(ended_at=timezone.now()), Verdict.NOT_ALLOWED),
    "over": (lambda: Share.objects.update(created_at=hours_ago(2), until=hours_ago(1)), Verdict.NOT_ALLOWED),
    "membership removed": (lambda: Membership.objects.filter(user__username="carol").delete(), Verdict.NOT_VISIBLE),
    "role lowered": (lambda: Membership.objects.filter(user__username="carol").update(role=Role.VIEWER), Verdict.NOT_ALLOWED),
    "tenant suspended": (lambda: Tenant.objects.update(suspended_at=timezone.now()), Verdict.NOT_ALLOWED),
    "handed over": (hand_over, Verdict.NOT_ALLOWED),
}


@pytest.mark.parametrize(("end", "verdict"), ENDS.values(), ids=ENDS)
def test_the_database_is_asked_for_the_share(make_row, carol_in_acme, end, verdict):
    instance, client = make_row(), portal_client(carol_in_acme.user)
    factories.share(instance, carol_in_acme.user)
    assert client.get(authorize_path(instance)).status_code == 302
    visitor = Visitor(carol_in_acme.user_id, handoff.session_digest(client.session.session_key))
    assert look_up(instance.slug, visitor).verdict is Verdict.RUNNING
    end()
    assert look_up(instance.slug, visitor).verdict is verdict
    assert client.get(authorize_path(instance)).status_code == (404 if verdict is Verdict.NOT_VISIBLE else 403)


@pytest.mark.parametrize(("end", "verdict"), ENDS.values(), ids=ENDS)
def test_no_new_request_passes_soon_after_the_end(gateway, instance, as_guest, end, verdict):
    assert gateway.call(instance, cookie=as_guest).status == 200
    end()
    refused = 404 if verdict is Verdict.NOT_VISIBLE else 403
    wait_until(lambda: gateway.call(instance, cookie=as_guest).status == refused, seconds=SOON_SECONDS)
    assert gateway.visit(instance, cookie=as_guest).status == refused
    host = gateway.host(instance)
    with pytest.raises(InvalidStatus) as closed:
        open_socket(gateway, host, cookie=as_guest, origin=f"http://{host}")
    assert closed.value.response.status_code == refused


def test_a_code_that_was_given_before_the_end_opens_nothing_after_it(gateway, instance, share, carol_in_acme, alice_in_acme):
    nonce, portal_path = gateway.begin(instance)
    callback = gateway.authorize(portal_client(carol_in_acme.user), portal_path)
    sharing.end_share(share=share, by=alice_in_acme)
    answer = gateway.visit(instance, callback, cookie=nonce)
    cookies = "; ".join(f"{name}={value}" for name, value in answer.set_cookies.items())
    assert gateway.call(instance, cookie=cookies).status == 403


def test_what_is_open_stays_open_and_nothing_new_opens(gateway, instance, share, as_guest, alice_in_acme):
    host = gateway.host(instance)
    with open_socket(gateway, host, cookie=as_guest, origin=f"http://{host}") as channel:
        sharing.end_share(share=share, by=alice_in_acme)
        wait_until(lambda: gateway.call(instance, cookie=as_guest).status == 403, seconds=SOON_SECONDS)
        channel.send("hello")
        assert channel.recv(timeout=10) == "hello"


async def test_a_share_is_remembered_no_longer_than_anything(gateway, instance, share, as_guest, carol_in_acme, settings):
    """The clock of the memory stands still but for one step: nothing is announced when a share's time is over."""
    now = 0.0
    with ThreadPoolExecutor(2) as executor:
        memory = Memory(look_up_in_thread, executor, lambda: now)
        visitor = visitor_of(as_guest, instance, settings)
        assert (await memory.standing(instance.slug, visitor)).verdict is Verdict.RUNNING
        await in_thread(executor, ENDS["over"][0])
        now = KEEP_SECONDS
        assert (await memory.standing(instance.slug, visitor)).verdict is Verdict.NOT_ALLOWED


async def test_a_share_that_ends_while_a_request_is_judged_lets_nobody_after_it_in(
    gateway, instance, share, as_guest, alice_in_acme, settings
):
    """The look-up has read the share and has not answered yet. Its own visitor was there before the end; the next was not."""
    read, go_on = threading.Event(), threading.Event()

    def slow_look_up(slug: str, visitor: Visitor):
        standing = look_up_in_thread(slug, visitor)
        read.set()
        assert go_on.wait(SOON_SECONDS)
        return standing

    with ThreadPoolExecutor(4) as executor:
        memory = Memory(slow_look_up, executor, lambda: 0.0)
        visitor = visitor_of(as_guest, instance, settings)
        before = asyncio.create_task(memory.standing(instance.slug, visitor))
        await in_thread(executor, lambda: read.wait(SOON_SECONDS))
        await in_thread(executor, lambda: sharing.end_share(share=share, by=alice_in_acme))
        memory.forget(instance.slug)  # what the announcement does
        go_on.set()
        assert (await before).verdict is Verdict.RUNNING
        assert (await memory.standing(instance.slug, visitor)).verdict is Verdict.NOT_ALLOWED


def visitor_of(cookie: str, instance, settings) -> Visitor:
    token = Keyring(settings.GATEWAY_KEYS).read(cookie.partition("=")[2], slug=instance.slug, now=0)
    return Visitor(token.user_id, token.session)


async def in_thread(executor: ThreadPoolExecutor, work) -> None:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    await asyncio.get_running_loop().run_in_executor(executor, run)
