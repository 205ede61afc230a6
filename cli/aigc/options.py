"""Options and arguments that several commands share, and the words that a shell completes for them."""

import os
import re
from typing import Annotated

import typer

from aigc.api import Json
from aigc.failures import Failure
from aigc.output import plain
from aigc.team import portal, team


def _names(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer names where they are one word for every shell, else ids; zsh and fish show the rest beside them."""
    rows = _rows(ctx, "instances")
    offers = [
        (each["name"] if _WORD.fullmatch(each["name"]) else each["id"], f"{each['name']}: {each['status']}") for each in rows
    ]
    return [(value, plain(about)) for value, about in offers if value.startswith(incomplete)]


def _engines(ctx: typer.Context, incomplete: str) -> list[str]:
    return _matching(ctx, incomplete, "catalog/engines", "slug")


def _gpu_classes(ctx: typer.Context, incomplete: str) -> list[str]:
    return _matching(ctx, incomplete, "catalog/gpu-classes", "slug")


def _volumes(ctx: typer.Context, incomplete: str) -> list[str]:
    return _matching(ctx, incomplete, "volumes", "id", place="kept")


def _tenants(incomplete: str) -> list[str]:
    try:
        with portal(patience=0.0) as api:
            slugs = [str(each["slug"]) for each in api.every("/tenants")]
    except Failure:
        return []
    return [each for each in slugs if each.startswith(incomplete)]


def _matching(ctx: typer.Context, incomplete: str, what: str, member: str, **query: str) -> list[str]:
    values = [str(each[member]) for each in _rows(ctx, what, **query)]
    return [each for each in values if each.startswith(incomplete)]


def _rows(ctx: typer.Context, what: str, **query: str) -> list[Json]:
    """Ask the portal once, for a shell that waits for a key; nothing if it does not answer."""
    tenant = ctx.params.get("tenant") or os.environ.get("AIGC_TENANT", "")
    try:
        with team(tenant, patience=0.0) as found:
            return found.every(what, **query)
    except Failure:
        return []


_WORD = re.compile(r"[\w.-]+")
TENANT_HELP = "The tenant's slug; without, the one of `aigc login`, or the only one."
TenantOption = Annotated[str, typer.Option("--tenant", "-t", envvar="AIGC_TENANT", help=TENANT_HELP, autocompletion=_tenants)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print what the API sends, as JSON.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
WaitOption = Annotated[bool, typer.Option("--wait", "-w", help="Wait until it runs, and print its address.")]
TimeoutOption = Annotated[str, typer.Option("--timeout", metavar="TIME", help="How long to wait, e.g. 90s or 15m.")]
InstanceArgument = Annotated[str, typer.Argument(metavar="NAME|ID", help="An instance.", autocompletion=_names)]
EngineArgument = Annotated[
    str, typer.Argument(metavar="ENGINE", help="An engine's slug: see `aigc catalog`.", autocompletion=_engines)
]
OneEngineArgument = Annotated[
    str, typer.Argument(metavar="[ENGINE]", help="With its versions and GPU classes.", autocompletion=_engines)
]
GpuOption = Annotated[
    str, typer.Option("--gpu", metavar="CLASS", help="A GPU class: see `aigc catalog ENGINE`.", autocompletion=_gpu_classes)
]
VolumeOption = Annotated[
    str, typer.Option("--volume", metavar="ID", help="Kept data to attach: see `aigc volumes`.", autocompletion=_volumes)
]
