"""Launch, list, look at, open and read the logs of instances."""

import sys
import webbrowser
from typing import Annotated
from urllib.parse import urlsplit

import typer

from aigc.api import Json
from aigc.coming_up import wait_until_running
from aigc.durations import seconds_of
from aigc.failures import Failure, Misused
from aigc.log_stream import follow, last_lines
from aigc.options import (
    EngineArgument,
    GpuOption,
    InstanceArgument,
    JsonOption,
    TenantOption,
    TimeoutOption,
    VolumeOption,
    WaitOption,
)
from aigc.output import ago, harmless, local, painted, say, show, show_facts, show_json, show_table
from aigc.team import Team, team

STATES = ("queued", "provisioning", "starting", "running", "stopping", "stopped", "failed", "deleting")
LOG_BYTES, MORE_LOG_BYTES = 65_536, 1024 * 1024
StateOption = Annotated[list[str] | None, typer.Option("--state", metavar="STATE", help=f"Any of: {', '.join(STATES)}.")]


def launch(
    engine: EngineArgument,
    *,
    gpu: GpuOption,
    version: Annotated[str, typer.Option("--version", help="Without, the recommended one.")] = "",
    name: Annotated[str, typer.Option("--name", "-n", help="Without, one is made up.")] = "",
    volume: VolumeOption = "",
    size: Annotated[int, typer.Option("--size", min=1, metavar="GIB", help="Of new data.")] = 50,
    project: Annotated[str, typer.Option("--project", help="What its costs are for.")] = "",
    wait: WaitOption = False,
    timeout: TimeoutOption = "30m",
    tenant: TenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Launch an engine on a GPU class."""
    seconds = seconds_of(timeout)
    body: Json = {"engine": engine, "gpu_class": gpu, "version": version, "name": name, "volume": volume}
    if project:
        body["project"] = project
    with team(tenant) as found:
        instance = found.api.post(found.path("instances"), body if volume else body | {"size_gib": size})
        if wait:
            instance = wait_until_running(found, instance, seconds=seconds)
    tell_running(instance, as_json=as_json, word="launched")


def list_instances(
    *,
    everybody: Annotated[bool, typer.Option("--all", "-a", help="Not only your own.")] = False,
    state: StateOption = None,
    tenant: TenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """List your instances, newest first."""
    wrong = [each for each in state or [] if each not in STATES]
    if wrong:
        raise Misused(f"{wrong[0]} is no state. There are: {', '.join(STATES)}.")
    with team(tenant) as found:
        rows = found.every("instances", owner="" if everybody else "me", state=state)
    if as_json:
        show_json(rows)
        return
    titles = ("NAME", "STATUS", "ENGINE", "GPU", "OWNER", "SINCE", "ID")
    shown = [
        (
            each["name"],
            painted(each["status"], each["group"]),
            f"{each['engine']['slug']} {each['engine']['version']}",
            each["gpu_class"]["slug"],
            each["owner"]["username"],
            ago(each["state_since"]),
            each["id"],
        )
        for each in rows
    ]
    show_table(titles, shown, empty="There are no instances here.")


def show_instance(wanted: InstanceArgument, *, tenant: TenantOption = "", as_json: JsonOption = False) -> None:
    """Say how an instance is, why, and when it stops."""
    with team(tenant) as found:
        instance = found.get("instances", found.instance(wanted)["id"])
    if as_json:
        show_json(instance)
    else:
        show_facts(_facts(instance))


def open_instance(
    wanted: InstanceArgument,
    *,
    only_print: Annotated[bool, typer.Option("--print", help="Print the address and open nothing.")] = False,
    tenant: TenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Open an engine's own page in the browser, and print its address."""
    with team(tenant) as found:
        instance = found.instance(wanted)
    address = instance["url"]
    if not address:
        raise Failure(f"{instance['name']} is not yours to visit, and its owner has not shared it with you.")
    if as_json:
        show_json(instance)
    else:
        show(address)
    if instance["state"] != "running":
        say(f"It does not run now ({instance['status']}). See `aigc resume {instance['id']} --wait`.")
    elif not only_print and sys.stdout.isatty() and urlsplit(address).scheme in {"http", "https"}:
        webbrowser.open(address)


def logs(
    wanted: InstanceArgument,
    *,
    following: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what the engine writes, until it ends.")] = False,
    tail: Annotated[int | None, typer.Option("--tail", min=0, metavar="LINES", help="Only the last lines.")] = None,
    tenant: TenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Print the end of an engine's log."""
    if following and as_json:
        raise Misused("A log that is followed is text: leave out --json or --follow.")
    with team(tenant) as found:
        instance = found.instance(wanted)
        part = found.get("instances", instance["id"], "log", tail_bytes=LOG_BYTES if tail is None else MORE_LOG_BYTES)
        part["text"] = last_lines(part["text"], tail)
        if as_json:
            show_json(part)
            return
        _write(part["text"])
        if following and not part["ended"]:
            _write_on(found, instance, part["cursor"])


def tell_running(instance: Json, *, as_json: bool, word: str) -> None:
    """Print what became of an instance that was to run: its address if it does."""
    if as_json:
        show_json(instance)
        return
    if instance["group"] == "running" and instance["url"]:
        say(f"{instance['name']} is running.")
        show(instance["url"])
        return
    say(f"{instance['name']} is {word} ({instance['status']}). Its id is {instance['id']}.")


def _write_on(found: Team, instance: Json, cursor: str) -> None:
    try:
        for text in follow(found, instance, cursor):
            _write(text)
    except KeyboardInterrupt:
        return  # the way to end it


def _write(text: str) -> None:
    """Write a part of a log as it is, into a file; on a terminal, without what steers it."""
    typer.echo(harmless(text) if sys.stdout.isatty() else text, nl=False, color=True)


def _facts(instance: Json) -> list[tuple[str, object]]:
    stay, reason, stopped = instance["stay"] or {}, instance["reason"] or {}, instance["stopped_because"] or {}
    return [
        ("Name", instance["name"]),
        ("Id", instance["id"]),
        ("Status", painted(f"{instance['status']}, for {ago(instance['state_since'])}", instance["group"])),
        ("In line", f"place {instance['queue_position']}" if instance.get("queue_position") else None),
        ("Because", reason.get("sentence")),
        ("Released", stopped.get("sentence")),
        ("Evidence", reason.get("evidence")),
        ("Stays on", stay.get("sentence")),
        ("Stops at", local(stay.get("stops_at"))),
        ("Kept until", local(stay.get("kept_until"))),
        ("Engine", f"{instance['engine']['name']} {instance['engine']['version']}"),
        ("GPU class", instance["gpu_class"]["name"]),
        ("Cluster", instance["cluster"]["name"]),
        ("Data", f"{instance['volume']['name']}, {instance['volume']['size_gib']} GiB ({instance['volume']['id']})"),
        ("Owner", instance["owner"]["username"]),
        ("Project", instance.get("project")),
        ("Address", instance["url"]),
    ]
