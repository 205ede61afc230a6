"""Where the embedded services of a data directory keep their files and listen. Pure: touches no file."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

DATABASE = "aigc"

# A Unix socket's path is limited to 104 bytes on macOS and 108 on Linux, with the final NUL.
SOCKET_PATH_LIMIT = 100


@dataclass(frozen=True)
class Layout:
    """The directories below one data directory."""

    data_dir: Path

    @property
    def postgres(self) -> Path:
        return self.data_dir / "postgres"

    @property
    def valkey(self) -> Path:
        return self.data_dir / "valkey"

    @property
    def logs(self) -> Path:
        return self.data_dir / "log"

    @property
    def postgres_lock(self) -> Path:
        return self.data_dir / "postgres.lock"

    @property
    def valkey_lock(self) -> Path:
        return self.data_dir / "valkey.lock"

    @property
    def run(self) -> Path:
        """Sockets; beside the data if that path is short enough, else in /tmp whatever TMPDIR says, to be found again."""
        beside_data = self.data_dir / "run"
        if len(bytes(beside_data / ".s.PGSQL.5432")) <= SOCKET_PATH_LIMIT:
            return beside_data
        digest = hashlib.sha256(bytes(self.data_dir)).hexdigest()[:16]
        return Path("/tmp") / f"aigc-{digest}"  # noqa: S108 - owner and mode are verified before use

    @property
    def valkey_socket(self) -> Path:
        return self.run / "valkey.sock"

    @property
    def gwauth_socket(self) -> Path:
        return self.run / "gwauth.sock"

    @property
    def gateway_admin_socket(self) -> Path:
        """Where Caddy is administered, and asked how many requests are open."""
        return self.run / "caddy.sock"


@dataclass(frozen=True)
class Addresses:
    """Connection strings of the embedded services, in the form of DATABASE_URL and REDIS_URL."""

    database_url: str
    redis_url: str


def layout_of(data_dir: Path | str) -> Layout:
    """The layout of a data directory, the same from every working directory."""
    return Layout(Path(data_dir).expanduser().resolve())


def addresses(data_dir: Path | str) -> Addresses:
    """Where the services of this data directory listen, running or not."""
    layout = layout_of(data_dir)
    return Addresses(
        database_url=f"postgresql://{DATABASE}@/{DATABASE}?host={quote(str(layout.run))}",
        redis_url=f"unix://{quote(str(layout.valkey_socket))}?db=0",
    )


def with_database(redis_url: str, number: int) -> str:
    """The same Valkey or Redis, another of its numbered databases."""
    url = urlsplit(redis_url)
    if url.scheme == "unix":
        query = dict(parse_qsl(url.query)) | {"db": str(number)}
        return f"unix://{url.netloc}{url.path}?{urlencode(query)}"  # urlunsplit() would drop the empty host's slashes
    return urlunsplit(url._replace(path=f"/{number}"))


def celery_url(redis_url: str) -> str:
    """The broker URL for Celery, which spells Unix sockets its own way; TCP addresses pass unchanged."""
    url = urlsplit(redis_url)
    if url.scheme != "unix":
        return redis_url
    number = dict(parse_qsl(url.query)).get("db", "0")
    return f"redis+socket://{url.netloc}{url.path}?virtual_host={number}"
