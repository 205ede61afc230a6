"""Every tenant address, found by walking the resolver: a view that is added cannot be forgotten here."""

from collections.abc import Iterator
from datetime import time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import Model
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone
from PIL import Image

from aigc_portal.sealing import seal
from billing.models import Charge, Price
from billing.operations import set_price, settle
from engines.clusters import get_cluster
from engines.models import Cluster, Instance, Schedule
from engines.states import InstanceState
from gateway.api_tokens.operations import Wanted, make_api_token
from gateway.models import ApiToken
from tenants.access_tokens import operations as access_tokens
from tenants.models import Membership, Tenant, User
from tenants.notifications.models import WebhookEndpoint
from tenants.notifications.operations import notify
from tenants.notifications.signing import new_secret
from tenants.quotas.models import Quota, QuotaRequest
from tests import factories
from tests.billing.budgets import make as make_budget
from tests.billing.facts import record


def tenant_routes(patterns: list[URLPattern | URLResolver], prefix: str = "", inside: bool = False) -> Iterator[tuple[str, str]]:
    """Yield name and whole route of every pattern below /<tenant_slug>/."""
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        below = inside or "tenant_slug" in pattern.pattern.converters
        if isinstance(pattern, URLResolver):
            yield from tenant_routes(pattern.url_patterns, route, below)
        elif below:
            yield pattern.name, route


ROUTES = sorted(tenant_routes(get_resolver().url_patterns))


@pytest.fixture
def instance(acme: Tenant, alice: User, cluster: Cluster) -> Instance:
    return make_secret(acme, alice, cluster)


def make_secret(acme: Tenant, alice: User, cluster: Cluster) -> Instance:
    """An instance that runs, with a picture on its volume; its owner is told of it, and so is a webhook of its tenant."""
    secret = seal(new_secret())
    WebhookEndpoint.objects.create(tenant=acme, url="https://hooks.example.org/?of=Secret plans", sealed_secret=secret)
    instance = factories.make_instance(acme, alice, cluster, state=InstanceState.RUNNING, name="Secret plans")
    get_cluster(cluster).ensure_volume(instance.volume.ref, tenant="acme", size_gib=1)
    disk = Path(cluster.config["root"]) / "volumes" / instance.volume.ref.name
    Image.new("RGB", (8, 8)).save(disk / PICTURE)
    about = {"subject": instance.slug, "context": {"name": instance.name, "minutes": 10}}
    notify(tenant=acme, kind="idle_warning", recipients=[alice], key="once", **about)
    wanted = Wanted("Secret plans of a program", ApiToken.Scope.USE, timedelta(days=7))
    membership = Membership.objects.get(user=alice)
    make_api_token(by=membership, instance=instance, wanted=wanted)
    asked = access_tokens.Wanted("Secret plans of a program", ["instances:read"], timedelta(days=7))
    access_tokens.make_personal_token(person=alice, membership=membership, wanted=asked)
    when = {"action": "stop", "days": 1, "at": time(18), "time_zone": "UTC", "done_until": timezone.now()}
    Schedule.objects.create(tenant=acme, instance=instance, made_by=alice, **when)
    factories.invite(acme, "secret.plans@example.org")
    Quota.objects.create(tenant=acme, author="tenant", user=alice, measure="gpus", limit=500)
    about = {"measure": "gpus", "wanted": 1000, "reason": "Secret plans need it."}
    QuotaRequest.objects.create(tenant=acme, asker=alice, **about)
    charge_for(instance)
    make_budget(acme, "1000", name="Secret plans", made_by=alice)
    factories.make_export(acme, alice)
    return instance


def charge_for(instance: Instance) -> Charge:
    """One line of the books, for an hour of a year ago."""
    starts_at = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(days=365)
    if not Price.objects.filter(gpu_class=instance.gpu_class).exists():
        set_price(gpu_class=instance.gpu_class, per_hour=Decimal(1), starts_at=starts_at)
    record(instance, "ready", starts_at, run_id=f"{instance.slug} once")
    record(instance, "ended", starts_at + timedelta(hours=1), run_id=f"{instance.slug} once")
    settle(instance.pk, now=timezone.now())
    return Charge.objects.get(instance=instance)


PICTURE = "Secret plans.png"
# What these show is named by the query.
OWNERS_PAGES = ("webhook", "audit", "budget", "costs-export", "sign_in_settings", "team_invit", "team_member", "tenant_settings")
ADMINS_ONLY = {
    "limits_approve",
    "limits_pass_on",
    "limits_refuse",
    "limits_remove",
    "limits_set",
    "release_remove_own",
    "release_tighten",
    "team_schedule_add",
}
QUERIES = {"volume_file": {"path": PICTURE}, "volume_thumbnail": {"path": PICTURE}}


def address(name: str, route: str, instance: Instance) -> str:
    known = {"tenant_slug": instance.tenant.slug}
    if "<slug:slug>" in route:
        of = {
            "volume": instance.volume,
            "webhook": instance.tenant.webhooks.first(),
            "costs-export": instance.tenant.exports.first(),
            "team": instance.tenant.invitations.first(),
        }
        known["slug"] = next((each for start, each in of.items() if name.startswith(start)), instance).slug
    if "<slug:key_id>" in route:
        tokens = instance.tenant.access_tokens if name.startswith("access_tokens") else instance.api_tokens
        known["key_id"] = tokens.get(name="Secret plans of a program").key_id
    if "<int:pk>" in route:
        known["pk"] = _row_of(name, instance).pk
    return reverse(name, kwargs=known, query=QUERIES.get(name))


def _row_of(name: str, instance: Instance) -> Model:
    """The row that an address names by its number."""
    tenant = instance.tenant
    if name == "costs-line":
        return instance.charges.get()
    if name.startswith("team_member"):
        return instance.owner.memberships.get(tenant=tenant)
    if name.startswith("budget"):
        return tenant.budgets.get()
    if name.startswith("limits_"):
        return tenant.quotas.get() if name == "limits_remove" else tenant.quota_requests.get()
    return instance.schedules.get()


def everything_written() -> dict[str, list[tuple[object, ...]]]:
    """Return every row of the product's own tables, but for when members were last seen."""
    labels = ("tenants", "engines", "gateway", "billing")
    models = [model for label in labels for model in apps.get_app_config(label).get_models()]
    columns = {model: [each.attname for each in model._meta.concrete_fields if each.name != "last_seen_at"] for model in models}
    return {model._meta.label: sorted(model._default_manager.values_list(*columns[model]), key=str) for model in models}


def test_the_walk_finds_the_routes() -> None:
    assert {"instances", "launch", "instance_pause", "volume_restore", "costs", "webhook_redeliver"} <= {
        name for name, _route in ROUTES
    }


@pytest.mark.parametrize(("name", "route"), ROUTES)
def test_a_member_gets_an_answer(name: str, route: str, instance: Instance, alice: User, anna: User, client: Client) -> None:
    client.force_login(anna if name.startswith(OWNERS_PAGES) else alice)
    url = address(name, route, instance)
    page = client.get(url)
    assert page.status_code in {200, 405}
    if page.streaming:
        page.close()  # as a server does, so that no file stays open
    if page.status_code == 405:
        assert client.post(url).status_code in ({403} if name in ADMINS_ONLY else {302, 422})


@pytest.mark.parametrize(("name", "route"), [each for each in ROUTES if each[0].startswith("webhook")])
def test_webhooks_are_the_admins_alone(name: str, route: str, instance: Instance, alice: User, client: Client) -> None:
    client.force_login(alice)
    url = address(name, route, instance)
    before = everything_written()
    answers = [client.get(url), client.post(url, {"url": "https://mine.example.org"})]
    assert {answer.status_code for answer in answers} in ({403}, {403, 405})
    assert everything_written() == before


@pytest.mark.parametrize(("name", "route"), ROUTES)
def test_a_stranger_learns_and_writes_nothing(name: str, route: str, instance: Instance, bob: User, client: Client) -> None:
    client.force_login(bob)
    url = address(name, route, instance)
    before = everything_written()
    answers = [client.get(url), client.post(url, {"name": "Mine now", "volume": "keep"})]
    assert {answer.status_code for answer in answers} <= {404, 405}
    assert 404 in {answer.status_code for answer in answers}
    assert not any(answer.streaming for answer in answers)
    assert all(b"Secret plans" not in answer.content for answer in answers)
    assert everything_written() == before


@pytest.mark.parametrize(("name", "route"), ROUTES)
def test_nobody_is_sent_to_sign_in(name: str, route: str, instance: Instance, client: Client) -> None:
    url = address(name, route, instance)
    before = everything_written()
    page = client.get(url)
    answer = client.post(url) if page.status_code == 405 else page
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")
    assert everything_written() == before
