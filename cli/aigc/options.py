"""Options and arguments that several commands share, and the words that a shell completes for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from aigc import settings
from aigc.api import Api
from aigc.failures import Failure
from aigc.team import Team, team


@contextmanager
def _impatient() -> Iterator[Team]:
    """Open the stored tenant for a shell that waits for a key: what does not answer at once is not asked again."""
    with team("") as found:
        found.api.patience = 0.0
        yield found


def _names(incomplete: str) -> list[str]:
    return _matching(incomplete, "instances", "name")


def _engines(incomplete: str) -> list[str]:
    return _matching(incomplete, "catalog/engines", "slug")


def _gpu_classes(incomplete: str) -> list[str]:
    return _matching(incomplete, "catalog/gpu-classes", "slug")


def _volumes(incomplete: str) -> list[str]:
    return _matching(incomplete, "volumes", "id", place="kept")


def _tenants(incomplete: str) -> list[str]:
    try:
        with Api(settings.access(), patience=0.0) as api:
            slugs = [str(each["slug"]) for each in api.every("/tenants")]
    except Failure:
        return []
    return [each for each in slugs if each.startswith(incomplete)]


def _matching(incomplete: str, what: str, member: str, **query: str) -> list[str]:
    try:
        with _impatient() as found:
            values = [str(each[member]) for each in found.every(what, **query)]
    except Failure:
        return []
    return [each for each in values if each.lower().startswith(incomplete.lower())]


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
