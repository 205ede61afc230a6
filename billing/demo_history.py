"""A year of a studio's use for the demo: facts as clusters write them, and all else worked out from those as it always is.

The same on every machine but for the date. Its engines are deleted since, so that nothing of them stands in anybody's way.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from billing.accounts import calendar_of
from billing.closing import due_periods
from billing.demo_use import make_capacity, make_use
from billing.operations import add_credit, close_period, set_price, set_storage_price, settle, settle_due
from billing.periods import Month
from engines.models import Cluster, EngineVersion, GpuClass, Instance, RunFact, Volume, VolumeFact
from engines.states import DesiredState, InstanceState
from engines.volume_facts import note_volume
from tenants.models import Membership, Tenant, User

MONTHS = 11
"""Before the present one."""
PRICES = {"h100-80g": "2.80", "a100-80g": "1.70", "l4-24g": "0.60"}
CHEAPER = {"h100-80g": "2.50"}
"""From the middle of the year on."""
OWN = {"h100-80g": "2.25"}
"""What the studio pays instead, since then."""
GIB_HOUR = Decimal("0.000137")


@dataclass(frozen=True, slots=True)
class _Engine:
    """Who used what, how many hours a working day on average, and for what."""

    name: str
    owner: str
    engine: str
    gpu_class: str
    hours: float
    tag: str = ""
    gib: int = 50


ENGINES = (
    _Engine("Storyboards", "alice", "comfyui", "l4-24g", 4.5, "Autumn film", 120),
    _Engine("Backgrounds", "anna", "sd-webui", "a100-80g", 2.5, "Autumn film", 200),
    _Engine("Style training", "chen", "comfyui", "h100-80g", 1.6, "", 400),
    _Engine("Posters", "dora", "sd-webui", "l4-24g", 3.0, "Posters", 60),
    _Engine("Trailer", "alice", "comfyui", "a100-80g", 0.9, "Trailer", 150),
)
FORMER = ("chen", "dora")
"""People who cannot sign in: there for the history alone."""


@transaction.atomic
def make_history(tenant: Tenant, *, now: datetime) -> int:
    """Give the tenant a year of use, unless it ever used anything; return how many engines that were."""
    classes = {each.slug: each for each in GpuClass.objects.filter(slug__in=PRICES)}
    cluster = Cluster.objects.order_by("pk").first()
    if RunFact.objects.filter(tenant=tenant).exists() or cluster is None or len(classes) < len(PRICES):
        return 0
    start = _months_before(calendar_of(tenant).month_of(now), MONTHS)
    begins_at = calendar_of(tenant).period(start).starts_at
    Tenant.objects.filter(pk=tenant.pk).update(created_at=begins_at)
    _set_prices(tenant, classes, begins_at, now)
    people = _people(tenant)
    instances = []
    for number, plan in enumerate(ENGINES):
        instance = _instance(tenant, people[plan.owner], cluster, classes[plan.gpu_class], plan)
        RunFact.objects.bulk_create(_facts(instance, begins_at, now, random.Random(number), plan))  # noqa: S311 - no secret
        make_use(instance, since=begins_at, now=now, chance=random.Random(number))  # noqa: S311 - no secret
        _note_volume(instance.volume, begins_at, now)
        settle(instance.pk, now=now)
        instances.append(instance)
    make_capacity(instances, since=begins_at, now=now)
    settle_due(now=now)
    add_credit(tenant=tenant, amount=Decimal("12.00"), reason="Outage of the cluster", now=now - timedelta(days=2))
    _close_and_correct(tenant, now)
    return len(ENGINES)


def _months_before(month: Month, count: int) -> Month:
    for _number in range(count):
        month = month.preceding
    return month


def _set_prices(tenant: Tenant, classes: dict[str, GpuClass], begins_at: datetime, now: datetime) -> None:
    middle = (begins_at + (now - begins_at) / 2).replace(hour=0, minute=0, second=0, microsecond=0)
    for slug, price in PRICES.items():
        set_price(gpu_class=classes[slug], per_hour=Decimal(price), starts_at=begins_at)
    for slug, price in CHEAPER.items():
        set_price(gpu_class=classes[slug], per_hour=Decimal(price), starts_at=middle)
    for slug, price in OWN.items():
        set_price(gpu_class=classes[slug], tenant=tenant, per_hour=Decimal(price), starts_at=middle)
    set_storage_price(per_hour=GIB_HOUR, starts_at=begins_at)


def _people(tenant: Tenant) -> dict[str, User]:
    for name in FORMER:
        user, is_new = User.objects.get_or_create(username=name, defaults={"email": f"{name}@example.org"})
        if is_new:
            user.set_unusable_password()
            user.save()
        Membership.objects.get_or_create(user=user, tenant=tenant)
    return {user.username: user for user in User.objects.filter(username__in={plan.owner for plan in ENGINES})}


def _instance(tenant: Tenant, owner: User, cluster: Cluster, gpu_class: GpuClass, plan: _Engine) -> Instance:
    versions = EngineVersion.objects.order_by("pk")
    version = versions.filter(engine__slug=plan.engine).first() or versions.get(engine__slug="loom", version="1")
    volume = Volume.objects.create(
        tenant=tenant, owner=owner, cluster=cluster, name=plan.name, size_gib=plan.gib, state=Volume.State.DELETED
    )
    return Instance.objects.create(
        tenant=tenant,
        owner=owner,
        cluster=cluster,
        name=plan.name,
        engine_version=version,
        gpu_class=gpu_class,
        volume=volume,
        tag=plan.tag,
        desired_state=DesiredState.DELETED,
        state=InstanceState.DELETED,
    )


def _facts(instance: Instance, begins_at: datetime, now: datetime, chance: random.Random, plan: _Engine) -> Iterator[RunFact]:
    """Yield when runs were ready and when they ended: on working days, longer and shorter, more and more over the year."""
    day, days = begins_at, (now - begins_at).days
    while day < now:
        growth = 0.6 + 0.8 * (day - begins_at).days / days
        hours = plan.hours * growth * chance.uniform(0.5, 1.5)
        ready_at = day + timedelta(hours=8, seconds=chance.randrange(3 * 3600))
        ended_at = ready_at + timedelta(seconds=int(hours * 3600))
        if day.weekday() < 5 and chance.random() < 0.85 and ended_at < now:
            started_at = ready_at - timedelta(seconds=chance.randrange(40, 200))
            kinds = RunFact.Kind
            for kind, at in ((kinds.STARTED, started_at), (kinds.READY, ready_at), (kinds.ENDED, ended_at)):
                yield _fact(instance, f"{instance.pk}:{day:%F}", kind, at)
        day += timedelta(days=1)


def _fact(instance: Instance, run_id: str, kind: RunFact.Kind, at: datetime) -> RunFact:
    return RunFact(
        instance=instance,
        run_id=run_id,
        kind=kind,
        source=RunFact.Source.CLUSTER,
        at=at,
        observed_at=at,
        tenant=instance.tenant,
        owner=instance.owner,
        gpu_class=instance.gpu_class,
        engine_version=instance.engine_version,
        tag=instance.tag,
    )


def _note_volume(volume: Volume, begins_at: datetime, now: datetime) -> None:
    note_volume(volume, VolumeFact.Kind.PROVISIONED, at=begins_at)
    note_volume(volume, VolumeFact.Kind.GONE, at=now.replace(hour=0, minute=0, second=0, microsecond=0))


def _close_and_correct(tenant: Tenant, now: datetime) -> None:
    """Close the months whose time has come, and let the last run in them have ended half an hour earlier: a correction."""
    periods = [period for period in due_periods(now=now) if period.tenant_id == tenant.pk]
    for period in periods:
        close_period(period=period, now=now)
    ended = RunFact.objects.filter(tenant=tenant, kind=RunFact.Kind.ENDED, at__lt=periods[-1].ends_at).latest("at")
    earlier = _fact(ended.instance, ended.run_id, RunFact.Kind.ENDED, ended.at - timedelta(minutes=30))
    earlier.source, earlier.observed_at = RunFact.Source.OPERATOR, now
    earlier.save()
    settle(ended.instance_id, now=now)
