"""Under which account the services run, and the files that account needs."""

import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from signal import Signals

from aigc_portal.embedded.errors import EmbeddedError
from aigc_portal.embedded.layout import Layout


@dataclass(frozen=True)
class Account:
    """A user of this machine."""

    uid: int
    gid: int


def account_for(data_dir: Path) -> Account:
    """Ourselves; as root, which PostgreSQL refuses, the owner of the data, or `nobody` where that is root or unknown here."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    owner = data_dir.stat().st_uid
    known = {entry.pw_uid: entry for entry in pwd.getpwall()}
    entry = known.get(owner) if owner != 0 else None
    entry = entry or pwd.getpwnam("nobody")
    return Account(entry.pw_uid, entry.pw_gid)


def make_directories(layout: Layout) -> Account:
    """Create what the services write to, theirs alone. Raises EmbeddedError if that is impossible."""
    try:
        layout.data_dir.mkdir(parents=True, exist_ok=True)
        account = account_for(layout.data_dir)
        if os.geteuid() == 0:
            # The account must get through to its own directories below, but need not list this one.
            layout.data_dir.chmod(layout.data_dir.stat().st_mode | stat.S_IXOTH)
        for directory in (layout.valkey, layout.logs, layout.run):
            make_own_directory(directory, account)
        for lock in (layout.postgres_lock, layout.valkey_lock):
            lock.touch(mode=0o600)
            os.chown(lock, account.uid, account.gid)
    except OSError as error:
        raise EmbeddedError(
            f"{error.filename or layout.data_dir} cannot be written ({error.strerror}). Make it writable, "
            "or choose another data directory: set AIGC_DATA_DIR, or `make demo DATA=<directory>`."
        ) from error
    return account


def make_own_directory(directory: Path, account: Account) -> None:
    """Create a directory for the account alone. Refuses one that somebody else put there."""
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.geteuid(), account.uid}:
        raise EmbeddedError(f"{directory} belongs to another user. Remove it or choose another data directory.")
    if found.st_uid != account.uid:
        os.chown(directory, account.uid, account.gid)
    directory.chmod(0o700)


def command_as(account: Account, command: list[str], *, needs: tuple[Path, ...], dies_with_us: Signals | None) -> list[str]:
    """The command, run under the account, able to reach `needs`, sent the signal `dies_with_us` if we are killed."""
    options = [] if dies_with_us is None else ["--pdeathsig", dies_with_us.name.removeprefix("SIG")]
    if account.uid != os.geteuid():
        options += [f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]
        if not all(is_reachable(path) for path in needs):
            # For a program or data below /root: less intrusive than opening /root to everybody.
            options += ["--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override"]
    setpriv = shutil.which("setpriv")
    if setpriv:
        return [setpriv, *options, "--", *command]
    if account.uid != os.geteuid():
        raise EmbeddedError("Starting PostgreSQL as root needs the program `setpriv` (package util-linux).")
    # Without it (macOS) services outlive a killed owner; the next start attaches to them.
    return command


def is_reachable(path: Path) -> bool:
    """Whether everybody may pass through all directories above this path."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents)
