"""Settings that cannot work, said before anything starts. docs/guides/settings.md explains the variables."""

import re
import zoneinfo
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004 - Django's name for it

from aigc_portal.binds import socket_of
from aigc_portal.embedded.layout import SOCKET_PATH_LIMIT
from engines.files.base import PIECE_BYTES

SECRET_LENGTH = 32
"""Characters of a key that nobody guesses; the portal's own have 64."""

LEAST_AUDIT_DAYS = 30
"""As the trigger on the audit log has it."""

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@register()
def check_addresses(**_: Any) -> list[CheckMessage]:
    """The portal's origin, and whether it and the engines are apart."""
    portal = _origin(settings.PORTAL_ORIGIN)
    engines = _origin(f"{settings.ENGINES_SCHEME}://{settings.ENGINES_DOMAIN}")
    if portal is None:
        return [
            Error(
                f"AIGC_PORTAL_ORIGIN is {settings.PORTAL_ORIGIN!r}, which is not an origin.",
                hint="Write scheme, host and perhaps a port, nothing else: https://portal.example.com",
                id="aigc.E001",
            )
        ]
    if engines is None:
        return [
            Error(
                f"AIGC_ENGINES_DOMAIN is {settings.ENGINES_DOMAIN!r} with AIGC_ENGINES_SCHEME {settings.ENGINES_SCHEME!r}.",
                hint="The domain is a host and perhaps a port (engines.example.net), the scheme is http or https.",
                id="aigc.E002",
            )
        ]
    return [*_apart(portal.hostname or "", engines.hostname or ""), *_schemes(portal, engines)]


def _origin(text: str) -> SplitResult | None:
    """Parse an origin, or return None for anything that is not exactly one."""
    if not re.fullmatch(r"https?://([a-z0-9-]+\.)*[a-z0-9-]+(:[0-9]{1,5})?", text):
        return None
    parts = urlsplit(text)
    try:
        return parts if parts.port is None or parts.port > 0 else None
    except ValueError:
        return None


def _apart(portal: str, engines: str) -> Iterator[CheckMessage]:
    """An engine's code is hostile: under a shared domain it could set cookies for the portal."""
    hint = "Give the engines a domain of their own, best a registrable domain that nothing else uses."
    if portal == engines or portal.endswith(f".{engines}"):
        yield Error(f"The portal ({portal}) lies within the engines' domain ({engines}).", hint=hint, id="aigc.E003")
    elif engines.endswith(f".{portal}"):
        yield Error(f"The engines' domain ({engines}) lies below the portal ({portal}).", hint=hint, id="aigc.E003")
    elif not _is_local(portal) and _registrable(portal) == _registrable(engines):
        yield Warning(
            f"The portal and the engines share the registrable domain {_registrable(portal)}.", hint=hint, id="aigc.W001"
        )


def _schemes(portal: SplitResult, engines: SplitResult) -> Iterator[CheckMessage]:
    local = _is_local(portal.hostname or "")
    if portal.scheme != engines.scheme:
        yield Error(
            f"The portal uses {portal.scheme} and the engines {engines.scheme}.",
            hint="Leave AIGC_ENGINES_SCHEME unset: it follows AIGC_PORTAL_ORIGIN.",
            id="aigc.E004",
        )
    if portal.scheme == "http" and not local:
        yield Error(
            f"{settings.PORTAL_ORIGIN} is neither https nor on localhost, so browsers refuse its cookies and nobody can sign in.",
            hint="Serve the portal by https, or name it under .localhost.",
            id="aigc.E005",
        )
    if settings.DEBUG and not local:
        yield Error(
            "AIGC_DEBUG is on for a portal that is not on localhost: error pages show settings and data.",
            hint="Unset AIGC_DEBUG.",
            id="aigc.E006",
        )


def _is_local(host: str) -> bool:
    return host in _LOCAL_NAMES or host.endswith(".localhost")


def _registrable(host: str) -> str:
    """Guess where the registrable part begins: three labels below country registries such as .co.uk, else two."""
    labels = host.split(".")
    below_registry = len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= 3
    return ".".join(labels[-3 if below_registry else -2 :])


@register()
def check_ports(**_: Any) -> list[CheckMessage]:
    """Ports of local engines, and those of the portal's own programs."""
    problems: list[CheckMessage] = []
    services = {"AIGC_PORTAL_BIND": _bound_port(settings.PORTAL_BIND), "AIGC_GWAUTH_BIND": _bound_port(settings.GWAUTH_BIND)}
    if services["AIGC_PORTAL_BIND"] is None:
        problems.append(
            Error("AIGC_PORTAL_BIND is not an address with a port.", hint="For instance 127.0.0.1:8001", id="aigc.E011")
        )
    if services["AIGC_GWAUTH_BIND"] is None and not _is_socket(settings.GWAUTH_BIND):
        problems.append(
            Error(
                "AIGC_GWAUTH_BIND is neither an address with a port nor a socket that can be.",
                hint=f"For instance 127.0.0.1:8002, or unix: and an absolute path of at most {SOCKET_PATH_LIMIT} bytes.",
                id="aigc.E011",
            )
        )
    services |= {
        "AIGC_PORTAL_ORIGIN": _bound_port(settings.PORTAL_HOST),
        "AIGC_ENGINES_DOMAIN": _bound_port(settings.ENGINES_DOMAIN),
    }
    ports = settings.LOCAL_PORTS
    if not ports or ports[0] < 1024 or ports[-1] > 65535:
        problems.append(
            Error(
                "AIGC_LOCAL_PORT_FIRST to AIGC_LOCAL_PORT_LAST is not a range of ports from 1024 to 65535.",
                hint="Unset both for 20000 to 20999.",
                id="aigc.E012",
            )
        )
    problems += [
        Error(
            f"{name} uses port {port}, which is among the ports of local engines.",
            hint=f"Choose a port outside {ports[0]} to {ports[-1]}, or move AIGC_LOCAL_PORT_FIRST and AIGC_LOCAL_PORT_LAST.",
            id="aigc.E013",
        )
        for name, port in services.items()
        if port is not None and port in ports
    ]
    return problems


@register()
def check_body_limit(**_: Any) -> list[CheckMessage]:
    """Whether the gateway lets a piece of an upload through."""
    least = -(-PIECE_BYTES // 2**20)
    if least <= settings.BODY_LIMIT_MIB:
        return []
    return [
        Error(
            f"AIGC_BODY_LIMIT_MIB is {settings.BODY_LIMIT_MIB}, so that no file could be uploaded.",
            hint=f"Uploads come in pieces of {least} MiB: allow that much at least, or unset it for 16.",
            id="aigc.E014",
        )
    ]


def _is_socket(bind: str) -> bool:
    path = socket_of(bind)
    return path is not None and path.is_absolute() and len(bytes(path)) <= SOCKET_PATH_LIMIT


def _bound_port(address: str) -> int | None:
    found = re.fullmatch(r"(?!unix:).+:([0-9]{1,5})", address)
    return int(found[1]) if found and 0 < int(found[1]) < 65536 else None


@register()
def check_trusted_proxies(**_: Any) -> list[CheckMessage]:
    """Whose word about a client's address is believed."""
    return [
        Error(
            f"AIGC_TRUSTED_PROXIES has {text!r}, which is neither an address nor a network.",
            hint="Write your load balancers' networks by commas, for instance 10.0.0.0/8. Never 0.0.0.0/0: clients would lie.",
            id="aigc.E015",
        )
        for text in settings.GATEWAY_TRUSTED_PROXIES
        if not _is_network(text) or ip_network(text).prefixlen == 0
    ]


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


@register()
def check_keys(**_: Any) -> list[CheckMessage]:
    """Keys between the portal and its gateway."""
    problems: list[CheckMessage] = []
    pairs = [re.fullmatch(r"([A-Za-z0-9_-]{1,16}):(.+)", pair) for pair in settings.GATEWAY_KEYS]
    how = "Write kid:key pairs, newest first, for instance 2:$(openssl rand -base64 48). Each kid appears once."
    if None in pairs or not pairs:
        problems.append(Error("AIGC_GATEWAY_KEYS is not a list of kid:key pairs.", hint=how, id="aigc.E021"))
    found = [pair.groups() for pair in pairs if pair is not None]
    for kid, times in Counter(kid for kid, _key in found).items():
        if times > 1:
            problems.append(Error(f"AIGC_GATEWAY_KEYS has {times} keys named {kid}.", hint=how, id="aigc.E022"))
    secrets = {f"The key {kid} of AIGC_GATEWAY_KEYS": key for kid, key in found} | {
        "AIGC_GATEWAY_SECRET": settings.GATEWAY_SECRET
    }
    problems += [
        Error(
            f"{name} has {len(secret)} characters; {SECRET_LENGTH} are the least.",
            hint="Make one with: openssl rand -base64 48. Or unset the variable: the portal makes its own.",
            id="aigc.E023",
        )
        for name, secret in secrets.items()
        if len(secret) < SECRET_LENGTH
    ]
    return problems


@register()
def check_encryption(**_: Any) -> list[CheckMessage]:
    """Keys of the credentials in the database: without them a backup is worth less than it seems."""
    how = "Set AIGC_ENCRYPTION_KEYS, for instance to the output of: openssl rand -base64 48. Keep it apart from the database."
    problems: list[CheckMessage] = []
    portal = _origin(settings.PORTAL_ORIGIN)
    if not settings.ENCRYPTION_KEYS_GIVEN and portal is not None and not _is_local(portal.hostname or ""):
        problems.append(Error("AIGC_ENCRYPTION_KEYS is not set for a portal that is not on localhost.", hint=how, id="aigc.E024"))
    if any(len(key) < SECRET_LENGTH for key in settings.ENCRYPTION_KEYS):
        problems.append(
            Error(f"A key of AIGC_ENCRYPTION_KEYS has less than {SECRET_LENGTH} characters.", hint=how, id="aigc.E025")
        )
    return problems


@register(deploy=True)
def check_mail(**_: Any) -> list[CheckMessage]:
    """Mail has links that let people in, which must not be read in a log."""
    if settings.EMAIL_BACKEND != "django.core.mail.backends.console.EmailBackend":
        return []
    return [
        Warning(
            "AIGC_EMAIL_URL is not set, so that mail is printed into the worker's log, with the links that let people in.",
            hint="Name a mail server, for instance smtp+tls://user:password@mail.example.com:587",
            id="aigc.W002",
        )
    ]


@register()
def check_services(**_: Any) -> list[CheckMessage]:
    """The database and Valkey or Redis."""
    problems: list[CheckMessage] = []
    engine = settings.DATABASES["default"]["ENGINE"]
    if engine != "django.db.backends.postgresql":
        problems.append(
            Error(
                f"DATABASE_URL asks for {engine.rpartition('.')[2]}. The portal runs on PostgreSQL only.",
                hint="For instance postgresql://aigc:password@db.example.com:5432/aigc, or unset it for the embedded one.",
                id="aigc.E031",
            )
        )
    scheme = settings.REDIS_URL.partition("://")[0]
    if scheme not in {"redis", "rediss", "unix"}:
        problems.append(
            Error(
                f"REDIS_URL begins with {scheme!r}, which is not an address of Valkey or Redis.",
                hint="For instance redis://valkey.example.com:6379/0, rediss:// with TLS, or unset it for the embedded one.",
                id="aigc.E032",
            )
        )
    return problems


@register()
def check_webhooks(**_: Any) -> list[CheckMessage]:
    """Networks that webhooks may reach although they are not public."""
    return [
        Error(
            f"AIGC_WEBHOOK_NETWORKS has {text!r}, which is not a network.",
            hint="For instance 10.20.0.0/16 or fd12:3456::/32: an address, a slash, how many bits count, and no bit after them.",
            id="aigc.E051",
        )
        for text in settings.WEBHOOK_NETWORKS
        if not _is_network(text)
    ]


@register()
def check_audit(**_: Any) -> list[CheckMessage]:
    """How long the audit log is kept, and whether operators need a second factor."""
    problems: list[CheckMessage] = []
    if settings.AUDIT_DAYS < LEAST_AUDIT_DAYS:
        problems.append(
            Error(
                f"AIGC_AUDIT_DAYS is {settings.AUDIT_DAYS}, but the database keeps the audit log for {LEAST_AUDIT_DAYS} days.",
                hint=f"Set {LEAST_AUDIT_DAYS} or more; unset, it is 400.",
                id="aigc.E071",
            )
        )
    portal = _origin(settings.PORTAL_ORIGIN)
    if not settings.REQUIRE_OPERATOR_MFA and portal is not None and not _is_local(portal.hostname or ""):
        problems.append(
            Warning(
                "Operators may use their console without a second factor.",
                hint="Unset AIGC_REQUIRE_OPERATOR_MFA.",
                id="aigc.W071",
            )
        )
    return problems


@register()
def check_time(**_: Any) -> list[CheckMessage]:
    """Books are kept in UTC, and people see their own time."""
    problems: list[CheckMessage] = []
    if settings.TIME_ZONE != "UTC" or not settings.USE_TZ:
        problems.append(
            Error(
                "TIME_ZONE must be UTC with USE_TZ on: hours and months of the books are UTC.",
                hint="People choose the time zone that they see in their account.",
                id="aigc.E041",
            )
        )
    if "Europe/Berlin" not in zoneinfo.available_timezones():
        problems.append(
            Error(
                "This machine has no time zone data, so people's time zones cannot be shown.",
                hint="Install the system's package tzdata.",
                id="aigc.E042",
            )
        )
    return problems
