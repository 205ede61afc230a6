"""How a command ends when it does not end well: an exit code for scripts, and one sentence for people."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a shell sees; docs/guides/cli.md promises these numbers."""

    REFUSED = 1
    USAGE = 2
    NOT_SIGNED_IN = 3
    NOT_FOUND = 4
    AWAY = 5
    INTERRUPTED = 130


class Failure(Exception):
    """A command that could not do what was asked."""

    code = ExitCode.REFUSED


class Misused(Failure):
    """What was typed does not make sense."""

    code = ExitCode.USAGE


class NotSignedIn(Failure):
    """There is no token, or the portal does not take it."""

    code = ExitCode.NOT_SIGNED_IN


class NotFound(Failure):
    """There is no such thing, or not for this person."""

    code = ExitCode.NOT_FOUND


class Away(Failure):
    """The portal did not answer, or something did not happen in time."""

    code = ExitCode.AWAY


class Interrupted(Failure):
    """Ctrl-C while waiting: what was asked for goes on."""

    code = ExitCode.INTERRUPTED
