"""What a tenant has: engines on offer, data, limits, costs."""

from typing import Annotated

import typer

from aigc.api import Json
from aigc.failures import Misused
from aigc.options import JsonOption, OneEngineArgument, TenantOption
from aigc.output import duration, local, money, say, show, show_json, show_table
from aigc.team import Team, team, wanted_slug

PLACES = ("used", "kept", "trash")
MEASURES = {"running": "Running instances", "gpus": "GPUs", "instances": "Instances", "storage": "Storage (GiB)"}


def catalog(engine: OneEngineArgument = "", *, tenant: TenantOption = "", as_json: JsonOption = False) -> None:
    """List the engines on offer; of one engine, its versions and the GPU classes for it."""
    with team(tenant) as found:
        if engine:
            _show_engine(found, wanted_slug(engine), as_json=as_json)
        else:
            _show_engines(found.every("catalog", "engines"), as_json=as_json)


def volumes(
    *,
    place: Annotated[str, typer.Option("--place", metavar="PLACE", help=f"One of: {', '.join(PLACES)}.")] = "",
    tenant: TenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """List the data: in use, kept, and in the trash."""
    if place and place not in PLACES:
        raise Misused(f"{place} is no place. There are: {', '.join(PLACES)}.")
    with team(tenant) as found:
        rows = found.every("volumes", place=place)
    if as_json:
        show_json(rows)
        return
    shown = [
        (
            each["name"],
            each["place"],
            _size(each),
            each["owner"]["username"],
            each["cluster"]["slug"],
            local(each["purge_at"]),
            each["id"],
        )
        for each in rows
    ]
    show_table(("NAME", "PLACE", "SIZE", "OWNER", "CLUSTER", "PURGED", "ID"), shown, empty="There is no data here.")


def limits(*, tenant: TenantOption = "", as_json: JsonOption = False) -> None:
    """List the limits that hold for you, and how much of each is used."""
    with team(tenant) as found:
        rows = found.every("limits")
    if as_json:
        show_json(rows)
        return
    shown = [
        (
            MEASURES.get(each["measure"], each["measure"]),
            each["gpu_class"] or "all",
            "tenant" if each["whole_tenant"] else "you",
            each["used"],
            each["limit"],
            "operators" if each["by_operator"] else "the team",
        )
        for each in rows
    ]
    show_table(("WHAT", "GPU CLASS", "FOR", "USED", "LIMIT", "SET BY"), shown, empty="No limit holds for you here.")


def costs(
    *,
    month: Annotated[str, typer.Option("--month", metavar="YYYY-MM", help="Without, the present one.")] = "",
    tenant: TenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show a month's costs by instance: everybody's for who may see that, else your own."""
    with team(tenant) as found:
        summary = found.get("costs", month=month)
    if as_json:
        show_json(summary)
        return
    rows = [
        (each["name"], each["owner"], each["gpu_class"], duration(each["seconds"]), money(each["amount"]))
        for each in summary["instances"]
    ]
    rows += [(each["name"], each["owner"] or "", each["category"], "", money(each["amount"])) for each in summary["others"]]
    show_table(("WHAT", "OWNER", "GPU CLASS", "TIME", "AMOUNT"), rows, empty=f"Nothing was used in {summary['month']}.")
    whose = "Yours" if summary["own_only"] else "All"
    estimated = money(summary["estimated"])
    show(f"{whose} in {summary['month']}: {money(summary['total'])}, of which {estimated} estimated")
    if summary["unpriced_seconds"]:
        say(f"{duration(summary['unpriced_seconds'])} of use have no price, and are in no amount.")


def _show_engines(rows: list[Json], *, as_json: bool) -> None:
    if as_json:
        show_json(rows)
        return
    shown = [(each["slug"], each["name"], _recommended(each), each["summary"]) for each in rows]
    show_table(("ENGINE", "NAME", "RECOMMENDED", "WHAT IT IS"), shown, empty="No engine is on offer here.")


def _show_engine(found: Team, slug: str, *, as_json: bool) -> None:
    engine = found.get("catalog", "engines", slug)
    classes = found.every("catalog", "gpu-classes", engine=slug)
    if as_json:
        show_json({"engine": engine, "gpu_classes": classes})
        return
    versions = [
        (each["version"], each["title"], "yes" if each["recommended"] else "", each["status"]) for each in engine["versions"]
    ]
    show_table(("VERSION", "TITLE", "RECOMMENDED", "STATUS"), versions, empty="No version is on offer.")
    show("")
    offers = [
        (
            each["slug"],
            each["name"],
            money(each["price_per_hour"]),
            f"{each['free']} of {each['total']}",
            each["waiting"],
            each["refusal"],
        )
        for each in classes
    ]
    show_table(("GPU CLASS", "NAME", "PER HOUR", "FREE", "IN LINE", "NOT NOW"), offers, empty="No GPU class is on offer.")


def _recommended(engine: Json) -> str:
    if not engine["runnable"]:
        return "cannot run here"
    return next((str(each["version"]) for each in engine["versions"] if each["recommended"]), "")


def _size(volume: Json) -> str:
    used = volume["used_bytes"]
    return f"{volume['size_gib']} GiB" if used is None else f"{used / 2**30:.1f} of {volume['size_gib']} GiB"
