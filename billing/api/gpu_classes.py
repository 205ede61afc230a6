"""GPU classes on offer, with their prices and what is free now."""

from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Path, Query, Router
from pydantic import Field

from aigc_portal.api.callers import ApiRequest, member, needs
from aigc_portal.api.paging import Paging, page_of
from aigc_portal.api.problems import invalid
from aigc_portal.api.schemas import Output, Page
from billing.api.shapes import MoneyOut, money
from billing.money import Money
from billing.queries import of_share, prices_in_force
from engines.models import EngineVersion, Volume
from engines.queries.launching import ClassOption, class_options, offered_engines
from engines.queries.volumes import attachable_volumes
from engines.quotas import standing_of
from tenants import access
from tenants.access import Action
from tenants.access_tokens.scopes import Scope
from tenants.models import Membership

router = Router(tags=["Catalog"])
READ = needs(Scope.CATALOG_READ)


class PlaceOut(Output):
    """Slots on premises, or in the cloud."""

    location: str = Field(description="onprem or cloud.")
    total: int
    free: int


class OfferedClass(Output):
    """A GPU class as an offer for one engine version."""

    slug: str
    name: str
    summary: str
    vendor: str
    memory_mib: int
    cpu_millis: int
    ram_mib: int
    price_per_hour: MoneyOut | None = Field(description="Of an instance; null where no price is set.")
    total: int
    free: int = Field(description="Slots that a launch could have at once.")
    waiting: int = Field(description="Launches in line for one.")
    places: list[PlaceOut]
    start_seconds: float | None = Field(description="How long a start usually takes; null while nobody knows.")
    cloud_after_seconds: int | None = Field(description="How long a launch waits on premises before it moves to the cloud.")
    refusal: str = Field(description="Why it cannot be chosen; empty if it can.")


class Wanted(Paging):
    """For what a class is wanted."""

    engine: str = Field("", max_length=40, description="An engine's slug; empty: the first on offer.")
    version: str = Field("", max_length=40, description="Empty: the one that is recommended.")
    volume: str = Field("", max_length=20, description="Kept data to launch with, which may narrow the choice.")


@router.get("/gpu-classes", auth=READ, response=Page[OfferedClass], summary="List GPU classes")
def list_gpu_classes(request: ApiRequest, tenant: Path[str], wanted: Query[Wanted]) -> dict[str, object]:
    """Return the classes on offer for an engine version, by slug: price, what is free, and why one cannot be had."""
    membership = member(request, tenant)
    access.require(membership, Action.SEE)
    version = _version(wanted)
    if version is None:
        return {"items": [], "next_cursor": None}
    prices = prices_in_force(membership.tenant, at=timezone.now())
    options = class_options(standing_of(membership.tenant, membership.user), version, _volume(membership, wanted.volume))
    rows = [_shown(option, of_share(prices.get(option.gpu_class.pk), option.gpu_class)) for option in options]
    return page_of(rows, wanted, key=lambda row: row.slug)


def _version(wanted: Wanted) -> EngineVersion | None:
    offers = offered_engines()
    chosen = next((each for each in offers if wanted.engine in {"", each.engine.slug}), None)
    if chosen is None:
        if wanted.engine:
            raise invalid("query", "engine", _("There is no such engine on offer."))
        return None
    version = next((each for each in chosen.versions if wanted.version in {"", each.version}), None)
    if version is None:
        raise invalid("query", "version", _("There is no such version on offer."))
    return version


def _volume(membership: Membership, slug: str) -> Volume | None:
    if not slug:
        return None
    found = next((each for each in attachable_volumes(membership) if each.slug == slug), None)
    if found is None:
        raise invalid("query", "volume", _("This data cannot be attached now. Choose other data."))
    return found


def _shown(option: ClassOption, price: Money | None) -> OfferedClass:
    gpu_class = option.gpu_class
    return OfferedClass(
        slug=gpu_class.slug,
        name=gpu_class.name,
        summary=gpu_class.summary,
        vendor=gpu_class.vendor,
        memory_mib=gpu_class.memory_mib,
        cpu_millis=gpu_class.cpu_millis,
        ram_mib=gpu_class.ram_mib,
        price_per_hour=None if price is None else money(price),
        total=option.total,
        free=option.free,
        waiting=option.waiting,
        places=[PlaceOut(location=each.location, total=each.total, free=each.free) for each in option.places],
        start_seconds=option.start_seconds,
        cloud_after_seconds=option.burst_seconds,
        refusal=option.refusal,
    )
