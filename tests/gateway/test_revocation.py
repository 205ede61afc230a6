"""Whatever ends a right ends new requests: at once where the message arrives, and within two seconds where it is lost.

Each end comes about as it does in the product: by a form of the portal or of the operators, or by the reconciler.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from aigc_portal.token_secrets import digest
from engines.models import Instance, Use
from engines.reconcile import reconcile
from gateway import handoff, standing
from gateway.api_tokens.operations import Made
from gateway.callers import ApiClient, Visitor
from gateway.cookies import PASS
from gateway.gate import Gate
from gateway.listening import listen_for_changes
from gateway.memory import KEEP_SECONDS, Memory
from gateway.models import ApiToken
from gateway.standing import look_up_in_thread
from gateway.tokens import Keyring, new_token
from tenants.models import Membership, Role
from tenants.rights import gateway_channel
from tests.gateway.conftest import KEYS, portal_client
from tests.gateway.driving import NAVIGATION, SCRIPT
from tests.gateway.test_access import authorize_path
from tests.gateway.test_memory import Clock, without_database
from tests.waiting import wait_until

PASSWORD = "a-long-old-secret"
DEADLINE_SECONDS = 10


@dataclass
class Case:
    """Alice visits her engine, and a program of hers uses it."""

    gate: Gate
    clock: Clock
    instance: Instance
    made: Made
    cookie: str
    alice: Client
    olga: Client

    @property
    def callers(self) -> tuple[Visitor, ApiClient]:
        """As gwauth knows the page and the program."""
        session = handoff.session_digest(self.alice.session.session_key)
        return Visitor(self.made.token.made_by_id, session), ApiClient(digest(self.made.secret))

    async def statuses(self) -> tuple[int, int, int]:
        """What a page, a script of the page and the program get."""
        pass_ = {"Cookie": self.cookie}
        program = {"Authorization": f"Bearer {self.made.secret}"}
        return (await self._ask(NAVIGATION | pass_), await self._ask(SCRIPT | pass_), await self._ask(program))

    async def _ask(self, headers: dict[str, str]) -> int:
        sent = headers | {
            "Host": f"{self.instance.slug}.engines.localhost:8000",
            "X-Aigc-Gw": self.gate.secret.decode(),
            "X-Forwarded-Method": "GET",
            "X-Forwarded-Uri": "/",
        }
        raw = [(name.lower().encode(), value.encode()) for name, value in sent.items()]
        scope = {"type": "http", "method": "GET", "path": "/_gw/auth", "query_string": b"", "headers": raw}
        return (await self.gate.answer(scope)).status

    def act(self, address: str, **fields: object) -> None:
        """Submit a form of the portal as alice."""
        answer = self.alice.post(address, fields)
        assert answer.status_code == 302, answer.content.decode()

    def administer(self, address: str, **changes: object) -> None:
        """Submit a form of the operators' console as olga, with what it shows but for the changes."""
        page = self.olga.get(address)
        context = page.context
        forms = [context["adminform"].form] if "adminform" in context else [context["form"]] if "form" in context else []
        for formset in context.get("inline_admin_formsets", []):
            forms += [formset.formset.management_form, *formset.formset.initial_forms]
        data: dict[str, object] = {}
        for form in forms:
            for field in form:
                data |= shown(field)
        data = {name: value for name, value in (data | changes).items() if value is not None}
        answer = self.olga.post(address, data)
        assert answer.status_code == 302, answer.content.decode()


def shown(field) -> dict[str, object]:
    """What a browser sends for a field that nobody touches."""
    value = field.value()
    if hasattr(field.field.widget, "widgets"):
        parts = field.field.widget.decompress(value)
        return {f"{field.html_name}_{number}": part for number, part in enumerate(parts)}
    if isinstance(value, list):
        return {field.html_name: [getattr(each, "pk", each) for each in value]}
    return {field.html_name: "on" if value is True else None if value is False else value}


def pause(case: Case) -> None:
    case.act(f"/acme/instances/{case.instance.slug}/pause/")
    reconcile(case.instance.pk)


def delete(case: Case) -> None:
    case.act(f"/acme/instances/{case.instance.slug}/delete/", volume="keep")
    reconcile(case.instance.pk)


def change_password(case: Case) -> None:
    case.act("/accounts/password/change/", oldpassword=PASSWORD, password1="another-long-one", password2="another-long-one")


def user_page(case: Case, rest: str = "change/") -> str:
    return f"/admin/tenants/user/{case.made.token.made_by_id}/{rest}"


def membership_page(case: Case, rest: str) -> str:
    return f"/admin/tenants/membership/{Membership.objects.get(user__username='alice').pk}/{rest}"


def suspend(case: Case) -> None:
    address = f"/admin/tenants/tenant/{case.instance.tenant_id}/suspend/"
    assert case.olga.post(address, {"reason": "The bill is not paid", "_form_submitted": "True"}).status_code == 200


def new_password(case: Case) -> None:
    typed = {"password1": "another-long-one", "password2": "another-long-one", "usable_password": "true"}
    case.administer(user_page(case, "password/"), **typed)


def revoke_as_operator(case: Case) -> None:
    chosen = {"action": "revoke", "_selected_action": [case.made.token.pk]}
    assert case.olga.post("/admin/gateway/apitoken/", chosen).status_code == 302


def remove_key(case: Case) -> None:
    case.gate.keyring = Keyring(["9:" + "another" * 8])


ENDS: dict[str, tuple[Callable[[Case], object], tuple[int, int, int]]] = {
    "signed out": (lambda case: case.act("/accounts/logout/"), (302, 401, 200)),
    "password changed": (change_password, (302, 401, 200)),
    "password set by an operator": (new_password, (302, 401, 200)),
    "person disabled": (lambda case: case.administer(user_page(case), is_active=None), (302, 401, 404)),
    "member removed": (lambda case: case.administer(membership_page(case, "delete/"), post="yes"), (404, 404, 401)),
    "role lowered": (lambda case: case.administer(membership_page(case, "change/"), role=Role.VIEWER), (403, 403, 403)),
    "tenant suspended": (suspend, (403, 403, 403)),
    "instance paused": (pause, (302, 503, 503)),
    "instance deleted": (delete, (404, 404, 404)),
    "token revoked": (lambda case: case.act(f"/acme/api/tokens/{case.made.token.key_id}/revoke/"), (200, 200, 401)),
    "token revoked by an operator": (revoke_as_operator, (200, 200, 401)),
    "key removed": (remove_key, (302, 401, 200)),
}


@pytest.fixture
def executor(transactional_db: None) -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


@pytest.fixture
def case(executor, alice, olga, make_row, make_token, settings) -> Case:
    settings.GATEWAY_KEYS = KEYS
    alice.set_password(PASSWORD)
    alice.save()
    portal, instance = portal_client(alice), make_row()
    assert portal.get(authorize_path(instance)).status_code == 302  # the gateway learns of the session
    session = handoff.session_digest(portal.session.session_key)
    token = new_token(slug=instance.slug, user_id=alice.pk, session=session, now=int(time.time()))
    cookie = f"{PASS}={Keyring(KEYS).sign(token)}"
    clock = Clock()
    gate = Gate(Memory(look_up_in_thread, executor, clock), executor)
    return Case(gate, clock, instance, make_token(instance), cookie, portal, portal_client(olga))


async def in_thread(function: Callable[..., object], *arguments: object) -> None:
    def work() -> None:
        try:
            function(*arguments)
        finally:
            connection.close()

    await asyncio.to_thread(work)


@pytest.mark.parametrize(("end", "expected"), ENDS.values(), ids=ENDS)
async def test_when_the_message_is_lost_it_ends_within_two_seconds(case, end, expected):
    assert await case.statuses() == (200, 200, 200)
    await in_thread(end, case)
    case.clock.now = KEEP_SECONDS
    assert await case.statuses() == expected


@pytest.mark.parametrize(("end", "expected"), ENDS.values(), ids=ENDS)
async def test_when_the_message_arrives_it_ends_at_once(case, end, expected):
    """The clock stands still: nothing is forgotten by its age."""
    already = listeners()
    listening = asyncio.create_task(listen_for_changes(case.gate.memory))
    await in_thread(wait_until, lambda: listeners() > already)
    assert await case.statuses() == (200, 200, 200)
    await in_thread(end, case)
    seen: list[tuple[int, int, int]] = []
    async with asyncio.timeout(DEADLINE_SECONDS):
        while expected not in seen:
            seen.append(await case.statuses())
            await asyncio.sleep(0.01)  # the message is heard between two looks
    listening.cancel()


def listeners() -> int:
    [(_channel, count)] = handoff.valkey().pubsub_numsub(gateway_channel())
    return int(count)


async def test_a_token_that_runs_out_ends_within_two_seconds(case):
    assert await case.statuses() == (200, 200, 200)
    await in_thread(lambda: ApiToken.objects.update(expires_at=case.made.token.created_at))
    case.clock.now = KEEP_SECONDS
    assert await case.statuses() == (200, 200, 401)


async def test_without_valkey_who_is_known_stays_and_nobody_signs_in(case, settings):
    """The rights of who is known are in the database, and are asked there every two seconds as before."""
    assert await case.statuses() == (200, 200, 200)
    url, settings.REDIS_URL = settings.REDIS_URL, "redis://127.0.0.1:1/0"
    handoff.valkey.cache_clear()
    try:
        callback = {"type": "http", "method": "GET", "path": "/.aigc/callback", "query_string": b"code=x"}
        headers = {"host": f"{case.instance.slug}.engines.localhost:8000", "x-aigc-gw": case.gate.secret.decode()}
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        assert (await case.gate.answer(callback | {"headers": raw})).status == 503
        case.clock.now = KEEP_SECONDS
        assert await case.statuses() == (200, 200, 200)
        await in_thread(lambda: Membership.objects.filter(user__username="alice").delete())
        case.clock.now = 2 * KEEP_SECONDS
        assert await case.statuses() == (404, 404, 401)
    finally:
        settings.REDIS_URL = url
        handoff.valkey.cache_clear()


async def test_without_the_database_everybody_waits_once_memory_ends(case):
    assert await case.statuses() == (200, 200, 200)
    case.gate.memory.look_up = without_database
    assert await case.statuses() == (200, 200, 200)
    case.clock.now = KEEP_SECONDS
    assert await case.statuses() == (503, 503, 503)


async def test_who_comes_too_late_for_a_release_is_not_let_in_on_an_old_memory(case):
    """The last look is over, and gwauth has not heard of it: asked to stay, it finds out."""

    def mark() -> None:
        Use.objects.create(instance=case.instance, run_id=case.instance.run_id, why="idle", releasing_since=timezone.now())

    def release() -> None:
        Use.objects.update(releasing_since=None)
        Instance.objects.update(desired_state="stopped")

    await in_thread(mark)
    for caller in case.callers:
        assert (await case.gate.memory.standing(case.instance.slug, caller)).releasing
    await in_thread(release)
    assert await case.statuses() == (302, 503, 503)


async def test_nobody_is_let_in_on_a_guess_while_a_release_cannot_be_taken_back(case, monkeypatch):
    await in_thread(lambda: Use.objects.create(instance=case.instance, why="idle", releasing_since=timezone.now()))
    for caller in case.callers:
        assert (await case.gate.memory.standing(case.instance.slug, caller)).releasing

    def fail(*_arguments: object) -> None:
        raise OperationalError("the connection is closed")

    monkeypatch.setattr(standing, "clear", fail)
    assert await case.statuses() == (503, 200, 503)
