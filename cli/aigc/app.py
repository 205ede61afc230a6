"""`aigc`: which commands there are, and how each of them ends."""

import sys
from typing import Annotated

import typer

from aigc import __version__
from aigc.commands import account, changes, engines, tenant
from aigc.failures import ExitCode, Failure
from aigc.output import say

app = typer.Typer(
    name="aigc",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # tracebacks with local variables would show tokens
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Ends with 0: done, 1: refused, 2: not understood, 3: not signed in, 4: not found, 5: too late or portal away.",
)

app.command()(account.login)
app.command()(account.logout)
app.command()(account.whoami)
app.command()(engines.launch)
app.command("list")(engines.list_instances)
app.command("show")(engines.show_instance)
app.command("open")(engines.open_instance)
app.command()(engines.logs)
app.command()(changes.pause)
app.command()(changes.resume)
app.command()(changes.restart)
app.command()(changes.rename)
app.command()(changes.keep)
app.command()(changes.delete)
app.command()(tenant.costs)
app.command()(tenant.catalog)
app.command()(tenant.volumes)
app.command()(tenant.limits)
app.command()(account.tokens)


@app.callback()
def about(
    *,
    version: Annotated[bool, typer.Option("--version", is_eager=True, callback=lambda value: _version(wanted=value))] = False,
) -> None:
    """Launch, pause and open engines of the AIGC Portal, and read their logs and costs."""


def main(arguments: list[str] | None = None) -> None:
    """Run one command and end the process with its exit code."""
    try:
        app(arguments, prog_name="aigc")
    except Failure as failure:
        say(f"aigc: {failure}")
        sys.exit(failure.code)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)


def _version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"aigc {__version__}")
        raise typer.Exit
