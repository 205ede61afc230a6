"""Two tenants that are as hard to tell apart as names allow never see anything of each other, nor learn what there is.

The second has a homoglyph of the first's name, a slug that begins with the first's, a person with the same name in capitals,
and engines, data and files of the same names. Its owner knows every slug, number and volume name of the first.
"""

import re
from collections.abc import Iterator
from datetime import time, timedelta
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings
from django.core.signals import request_finished
from django.db import IntegrityError, close_old_connections, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from aigc_portal.asgi import application
from aigc_portal.sealing import seal
from engines.clusters import get_cluster
from engines.live import tenant_group
from engines.models import Cluster, Schedule
from engines.states import InstanceState
from gateway.api_tokens.operations import Wanted, make_api_token
from gateway.models import ApiToken
from tenants.access_tokens import operations as access_tokens
from tenants.models import Role, Tenant, User
from tenants.notifications.models import WebhookEndpoint
from tenants.notifications.operations import notify
from tenants.quotas.models import Quota, QuotaRequest
from tests import factories
from tests.billing.budgets import make as make_budget
from tests.sockets import Socket
from tests.test_routes import QUERIES, ROUTES, charge_for, everything_written

FIRST = ("acme", "Acme Studio", "alice", "alice@example.org")
SECOND = ("acme-studio", "Acm\N{CYRILLIC SMALL LETTER IE} Studio", "\N{CYRILLIC SMALL LETTER A}lice", "ALICE@EXAMPLE.ORG.example")
PICTURE = "dragon.png"
SLUG = "zzzzzzzzzz"  # well formed, and nobody's
NUMBER = 2**31 - 7


class Side:
    """One of the two tenants, with everything that an address can name."""

    def __init__(self, cluster: Cluster, slug: str, name: str, username: str, email: str) -> None:
        self.tenant = factories.make_tenant(slug, name=name)
        self.owner = User.objects.create_user(username, email, None)
        self.membership = factories.join(self.owner, self.tenant, Role.OWNER)
        self.instance = factories.make_instance(
            self.tenant,
            self.owner,
            cluster,
            name="Dragon",
            state=InstanceState.RUNNING,
            evidence=f"evidence of {slug}!",
            upstream="127.0.0.1:20000",
            volume=factories.make_volume(self.tenant, self.owner, cluster, name="Dragon"),
        )
        volume = self.instance.volume.ref
        get_cluster(cluster).ensure_volume(volume, tenant=slug, size_gib=1)
        disk = Path(cluster.config["root"]) / "volumes" / volume.name
        Image.new("RGB", (8, 8)).save(disk / PICTURE)
        (disk / f"only-in-{slug}!.txt").write_text(f"content of {slug}!")
        self.webhook = WebhookEndpoint.objects.create(
            tenant=self.tenant, url=f"https://hooks.example.org/{slug}!", sealed_secret=seal("x"), created_by=self.owner
        )
        wanted = Wanted(f"token of {slug}!", ApiToken.Scope.USE, timedelta(days=7))
        self.token = make_api_token(by=self.membership, instance=self.instance, wanted=wanted).token
        about = {"subject": self.instance.slug, "context": {"name": f"notice of {slug}!", "minutes": 10}}
        notify(tenant=self.tenant, kind="idle_warning", recipients=[self.owner], key=slug, **about)
        when = {"action": "stop", "days": 1, "at": time(18), "time_zone": "UTC", "done_until": timezone.now()}
        self.schedule = Schedule.objects.create(tenant=self.tenant, instance=self.instance, made_by=self.owner, **when)
        self.invitation = factories.invite(self.tenant, f"invited-to-{slug}!@example.org")
        self.export = factories.make_export(self.tenant, self.owner)
        self.colleague = factories.join(factories.make_user(f"colleague-{slug}"), self.tenant)
        self.quota = Quota.objects.create(tenant=self.tenant, author="tenant", user=self.owner, measure="gpus", limit=500)
        asked = {"measure": "gpus", "wanted": 1000, "reason": f"asked by {slug}!"}
        self.request = QuotaRequest.objects.create(tenant=self.tenant, asker=self.owner, **asked)
        self.budget = make_budget(self.tenant, "1000", name=f"budget of {slug}!", made_by=self.owner)
        scopes = access_tokens.Wanted(f"access of {slug}!", ["instances:read"], timedelta(days=7))
        made = access_tokens.make_personal_token(person=self.owner, membership=self.membership, wanted=scopes)
        self.access_token = made.token
        self.charge = charge_for(self.instance)

    @property
    def marks(self) -> set[bytes]:
        """What is this side's alone and must not appear on the other."""
        things = (self.instance, self.instance.volume, self.webhook, self.invitation, self.export)
        known = (*(each.slug for each in things), self.token.key_id, self.access_token.key_id, str(self.instance.pk))
        return {each.encode() for each in (*known, f"{self.tenant.slug}!", self.tenant.name, self.owner.email)}

    def address(self, name: str, route: str, tenant_slug: str) -> str:
        """The address of this side's things below a tenant that need not be theirs."""
        return address(name, route, tenant_slug, self.named(name), self.key_id(name), self.row(name))

    def named(self, route_name: str) -> str:
        of = {
            "costs-export": self.export,
            "team": self.invitation,
            "volume": self.instance.volume,
            "webhook": self.webhook,
        }
        return next((each for start, each in of.items() if route_name.startswith(start)), self.instance).slug

    def key_id(self, route_name: str) -> str:
        return (self.access_token if route_name.startswith("access_tokens") else self.token).key_id

    def row(self, route_name: str) -> int:
        limit = self.quota if route_name == "limits_remove" else self.request
        of = {"budget": self.budget, "costs-line": self.charge, "team": self.colleague, "limits": limit}
        return of.get(route_name.partition("_")[0], self.schedule).pk


def address(name: str, route: str, tenant_slug: str, slug: str, key_id: str, pk: int) -> str:
    values = {"tenant_slug": tenant_slug, "slug": slug, "key_id": key_id, "pk": pk}
    known = {key: value for key, value in values.items() if f":{key}>" in route}
    query = {key: value.replace("Secret plans", "dragon") for key, value in QUERIES.get(name, {}).items()}
    return reverse(name, kwargs=known, query=query)


@pytest.fixture
def victim(cluster: Cluster) -> Side:
    return Side(cluster, *FIRST)


@pytest.fixture
def attacker(cluster: Cluster) -> Side:
    return Side(cluster, *SECOND)


@pytest.fixture
def as_attacker(attacker: Side, client: Client) -> Client:
    client.force_login(attacker.owner)
    client.get(f"/{attacker.tenant.slug}/")  # so that the tenant visited last is known
    return client


OF_A_THING = [(name, route) for name, route in ROUTES if re.search(r"<(slug:slug|slug:key_id|int:pk)>", route)]


def body(client: Client, url: str, *, post: bool) -> tuple[int, bytes]:
    """Status and bytes, streamed ones included, as a server would send them."""
    answer = client.post(url, {"name": "Mine now", "path": "", "sure": "1"}) if post else client.get(url)
    if answer.streaming and not answer.is_async:
        return answer.status_code, b"".join(answer.streaming_content) + str(answer.headers).encode()
    # Only the connection of this test stays open, as the client keeps it elsewhere.
    request_finished.disconnect(close_old_connections)
    answer.close()
    request_finished.connect(close_old_connections)
    return answer.status_code, (b"" if answer.streaming else answer.content) + str(answer.headers).encode()


def test_names_are_told_apart_where_machines_read_them(victim: Side, attacker: Side) -> None:
    for fields in ({"email": "ALICE@example.org"}, {"email": "Alice@Example.Org"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            factories.make_user("someone", **fields) if "email" not in fields else User.objects.create(
                username="someone", **fields
            )
    with pytest.raises(IntegrityError), transaction.atomic():
        Tenant.objects.create(slug="acme", name="Another")
    assert victim.tenant.name != attacker.tenant.name


def test_one_sees_nothing_of_the_other_on_ones_own_pages(victim: Side, attacker: Side, as_attacker: Client) -> None:
    for name, route in ROUTES:
        own = attacker.address(name, route, attacker.tenant.slug)
        status, sent = body(as_attacker, own, post=False)
        assert (status, name) in {(200, name), (405, name)}
        assert [mark for mark in victim.marks if mark in sent and mark != b"acme!"] == [], name
    pages = [
        f"/acme-studio/instances/{attacker.instance.slug}/?tab={tab}"
        for tab in ("overview", "timeline", "files", "access", "costs")
    ]
    for page in [*pages, "/", f"/acme-studio/data/{attacker.instance.volume.slug}/"]:
        assert [mark for mark in victim.marks if mark in body(as_attacker, page, post=False)[1]] == [], page


@pytest.mark.parametrize("below", ["own", "theirs"])
def test_what_is_known_by_name_stays_shut(below: str, victim: Side, attacker: Side, as_attacker: Client) -> None:
    """Slugs and numbers of the other, below one's own tenant and below theirs."""
    before = everything_written()
    for name, route in ROUTES if below == "theirs" else OF_A_THING:
        url = victim.address(name, route, (attacker if below == "own" else victim).tenant.slug)
        for post in (False, True):
            status, sent = body(as_attacker, url, post=post)
            assert status in {404, 405}, url
            given = {victim.named(name).encode(), victim.key_id(name).encode()}  # which the address itself says
            assert [mark for mark in victim.marks - given if mark in sent] == [], url
    assert everything_written() == before


def uniform(sent: bytes, *names: str) -> bytes:
    """A body without what is new with every request, and without the names that the address itself brought, nor their length."""
    text = re.sub(rb'(nonce[-="]+|csrfmiddlewaretoken" value="|"X-CSRFToken": ")[A-Za-z0-9+/=]+', rb"\1", sent)
    text = re.sub(rb"(Content-Length': ')[0-9]+", rb"\1", text)
    for name in names:
        text = text.replace(name.encode(), b"*")
    return text


def shape(client: Client, url: str, *, post: bool, names: tuple[str, ...]) -> tuple[int, bytes, list[str]]:
    """Status, uniform bytes, and what the database was asked, without the values."""
    with CaptureQueriesContext(connection) as captured:
        status, sent = body(client, url, post=post)
    asked = [re.sub(r"'[^']*'(::\w+)?|\b\d+\b", "?", query["sql"]) for query in captured.captured_queries]
    return status, uniform(sent, *names), asked


def test_what_is_elsewhere_is_refused_as_what_is_nowhere(victim: Side, attacker: Side, as_attacker: Client) -> None:
    """The same bytes after the same questions to the database, so that not even time tells."""
    own = attacker.tenant.slug
    for name, route in OF_A_THING:
        there = victim.address(name, route, own)
        nowhere = address(name, route, own, SLUG, "z" * 8, NUMBER)
        names = (victim.named(name), SLUG, victim.key_id(name), "z" * 8, f"/{victim.row(name)}/", f"/{NUMBER}/")
        for post in (False, True):
            assert shape(as_attacker, there, post=post, names=names) == shape(as_attacker, nowhere, post=post, names=names), name


def test_a_tenant_of_others_is_refused_as_one_that_is_not(victim: Side, attacker: Side, as_attacker: Client) -> None:
    for name, route in ROUTES:
        there = victim.address(name, route, "acme")
        nowhere = victim.address(name, route, "nope")
        for post in (False, True):
            names = ("acme/", "nope/")
            assert shape(as_attacker, there, post=post, names=names) == shape(as_attacker, nowhere, post=post, names=names), name


def gateway_addresses(slug: str) -> Iterator[tuple[str, bool]]:
    yield f"/gw/authorize?instance={slug}&n={'0' * 64}&rd=/", False
    yield f"/gw/waking/{slug}/", False
    yield f"/gw/waking/{slug}/start", True
    yield f"/gw/waking/{slug}/cancel", True


def test_nor_does_the_way_to_engines_tell(victim: Side, attacker: Side, as_attacker: Client) -> None:
    names = (victim.instance.slug, SLUG)
    for (there, post), (nowhere, _post) in zip(gateway_addresses(names[0]), gateway_addresses(SLUG), strict=True):
        found = shape(as_attacker, there, post=post, names=names)
        assert found[0] == 404
        assert found == shape(as_attacker, nowhere, post=post, names=names)


@pytest.mark.django_db(transaction=True)
async def test_a_socket_hears_nothing_of_the_other(valkey, cluster: Cluster) -> None:
    def make() -> tuple[Side, Side, bytes]:
        sides = (
            Side(cluster, *FIRST),
            Side(cluster, *SECOND),
        )
        client = Client()
        client.force_login(sides[1].owner)
        return *sides, f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}".encode()

    victim, attacker, cookie = await sync_to_async(make)()
    headers = [(b"origin", settings.PORTAL_ORIGIN.encode()), (b"cookie", cookie)]
    for tenant in ("acme", "nope", "ACME"):
        socket = Socket(application, f"/ws/live/{tenant}/", headers)
        if await socket.connect():
            assert await socket.closing_code() == 4404, tenant
    own = Socket(application, f"/ws/live/acme-studio/?instance={victim.instance.slug}", headers)
    assert await own.connect()
    assert await own.text() == ""
    layer = get_channel_layer()
    theirs = {"type": "instance.changed", "instance_id": str(victim.instance.pk)}
    await layer.group_send(tenant_group(victim.tenant.pk), theirs)
    # Even if a message went astray, who hears it renders only what may be seen.
    await layer.group_send(tenant_group(attacker.tenant.pk), theirs)
    assert await own.receive_nothing(timeout=0.5)
    await own.leave()
