"""What can be asked of an instance that exists."""

import sys
from typing import Annotated

import typer

from aigc.api import Json
from aigc.coming_up import wait_until_running
from aigc.commands.engines import tell_running
from aigc.durations import seconds_of
from aigc.failures import Failure, Misused, NotFound
from aigc.options import InstanceArgument, JsonOption, TenantOption, TimeoutOption, WaitOption, YesOption
from aigc.output import local, plain, say, show_json
from aigc.team import team


def pause(wanted: InstanceArgument, *, tenant: TenantOption = "", as_json: JsonOption = False) -> None:
    """Give the GPU back and keep the data."""
    with team(tenant) as found:
        instance = found.act(found.instance(wanted), "pause")
    _tell(instance, f"{instance['name']} is asked to pause.", as_json=as_json)


def resume(
    wanted: InstanceArgument,
    *,
    wait: WaitOption = False,
    timeout: TimeoutOption = "30m",
    tenant: TenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Run again, also after a failure."""
    _come_up(wanted, "resume", wait=seconds_of(timeout) if wait else 0, tenant=tenant, as_json=as_json)


def restart(
    wanted: InstanceArgument,
    *,
    wait: WaitOption = False,
    timeout: TimeoutOption = "30m",
    tenant: TenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Run afresh on the same data."""
    _come_up(wanted, "restart", wait=seconds_of(timeout) if wait else 0, tenant=tenant, as_json=as_json)


def rename(
    wanted: InstanceArgument,
    name: Annotated[str, typer.Argument(help="The new name.")],
    *,
    tenant: TenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Give an instance another name."""
    with team(tenant) as found:
        before = found.instance(wanted)
        instance = found.api.patch(found.path("instances", before["id"]), {"name": name})
    _tell(instance, f"{before['name']} is now called {instance['name']}.", as_json=as_json)


def keep(
    wanted: InstanceArgument,
    *,
    length: Annotated[str, typer.Option("--for", metavar="TIME", help="For how long, e.g. 45m or 2h.")] = "1h",
    tenant: TenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Keep an instance on for a while, used or not, though never for longer than its rule allows."""
    minutes = -(-seconds_of(length) // 60)
    with team(tenant) as found:
        instance = found.act(found.instance(wanted), "keep", {"minutes": minutes})
    until = local((instance["stay"] or {}).get("kept_until"))
    _tell(instance, f"{instance['name']} stays on until {until}." if until else f"{instance['name']} stays on.", as_json=as_json)


def delete(
    wanted: InstanceArgument,
    *,
    keep_data: Annotated[bool, typer.Option("--keep-data/--trash-data", help="What becomes of its data.")] = True,
    yes: YesOption = False,
    tenant: TenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Delete an instance. Its data is kept, to be launched with again, or goes to the trash."""
    with team(tenant) as found:
        instance = found.instance(wanted)
        becomes = "is kept" if keep_data else "goes to the trash"
        if not yes:
            _confirm(f"Delete {instance['name']} of {instance['owner']['username']}? Its data {becomes}.")
        try:
            instance = found.api.delete(found.path("instances", instance["id"]), data="keep" if keep_data else "trash")
        except NotFound:
            instance |= {"state": "deleted", "desired_state": "deleted"}  # gone, perhaps by an answer that was lost
    _tell(instance, f"{instance['name']} is being deleted. Its data {becomes}.", as_json=as_json)


def _come_up(wanted: str, action: str, *, wait: int, tenant: str, as_json: bool) -> None:
    with team(tenant) as found:
        instance = found.act(found.instance(wanted), action)
        if wait:
            instance = wait_until_running(found, instance, seconds=wait)
    tell_running(instance, as_json=as_json, word="on its way")


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise Misused(f"{plain(question)} Nobody is here to answer: say --yes.")
    if not typer.confirm(plain(question), err=True):
        raise Failure("Nothing was deleted.")


def _tell(instance: Json, sentence: str, *, as_json: bool) -> None:
    if as_json:
        show_json(instance)
    else:
        say(sentence)
