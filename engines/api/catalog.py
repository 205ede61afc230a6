"""Engines on offer."""

from datetime import date

from ninja import Path, Query, Router
from pydantic import Field

from aigc_portal.api.callers import ApiRequest, member, needs
from aigc_portal.api.paging import Paging, page_of
from aigc_portal.api.schemas import Output, Page
from engines.models import EngineVersion
from engines.queries.launching import EngineOption, offered_engines
from tenants import access
from tenants.access import Action
from tenants.access_tokens.scopes import Scope
from tenants.errors import NotVisible

router = Router(tags=["Catalog"])
READ = needs(Scope.CATALOG_READ)


class VersionOut(Output):
    """One version of an engine."""

    version: str
    title: str
    status: str = Field(description="published or deprecated.")
    recommended: bool = Field(description="Launched where no version is named.")
    min_gpu_memory_mib: int
    released_at: date | None
    notes: str


class OfferedEngine(Output):
    """An engine with its versions on offer, the recommended one first."""

    slug: str
    name: str
    summary: str
    family: str
    homepage: str
    runnable: bool = Field(description="Whether some cluster here can run it.")
    versions: list[VersionOut]


@router.get("/engines", auth=READ, response=Page[OfferedEngine], summary="List engines")
def list_engines(request: ApiRequest, tenant: Path[str], paging: Query[Paging]) -> dict[str, object]:
    """Return the engines that can be launched, by slug."""
    access.require(member(request, tenant), Action.SEE)
    return page_of([_shown(each) for each in offered_engines()], paging, key=lambda each: each.slug)


@router.get("/engines/{slug:engine}", auth=READ, response=OfferedEngine, summary="Read an engine")
def get_engine(request: ApiRequest, tenant: Path[str], engine: Path[str]) -> OfferedEngine:
    """Return one engine with its versions."""
    access.require(member(request, tenant), Action.SEE)
    found = next((each for each in offered_engines() if each.engine.slug == engine), None)
    if found is None:
        raise NotVisible
    return _shown(found)


def _shown(option: EngineOption) -> OfferedEngine:
    engine = option.engine
    return OfferedEngine(
        slug=engine.slug,
        name=engine.name,
        summary=engine.summary,
        family=engine.family,
        homepage=engine.homepage,
        runnable=option.runnable,
        versions=[_version(each, recommended=each == option.versions[0]) for each in option.versions],
    )


def _version(version: EngineVersion, *, recommended: bool) -> VersionOut:
    return VersionOut(
        version=version.version,
        title=version.title,
        status=version.status,
        recommended=recommended,
        min_gpu_memory_mib=version.min_gpu_memory_mib,
        released_at=version.released_at,
        notes=version.notes,
    )
