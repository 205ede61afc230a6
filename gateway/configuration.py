"""What the Caddyfile's variables are, made from the settings. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aigc_portal.binds import caddy_address


class BadConfiguration(Exception):
    """The settings do not make a gateway; the text says what to change."""


@dataclass(frozen=True)
class GatewaySettings:
    """What the gateway depends on. Addresses are as in aigc_portal.binds; directories are absolute."""

    portal_origin: str
    engines_scheme: str
    engines_domain: str
    portal_bind: str
    gwauth_bind: str
    secret: str
    bind: Sequence[str]
    local_ports: range
    upstream_patterns: Sequence[str]  # regular expressions for host:port of engines elsewhere than on this machine
    certificate: str
    certificate_key: str
    admin_socket: Path
    storage: Path
    portal_body_limit_mib: int
    hsts_seconds: int
    trusted_proxies: Sequence[str] = ()  # networks of what stands before the gateway


def caddy_environment(given: GatewaySettings) -> Mapping[str, str]:
    """Return every variable that gateway/Caddyfile uses, and one for the program itself.

    One port serves the portal's name, `*.<engines domain>` and, without TLS, the plain name that leads to the portal.
    """
    scheme, portal_host = given.portal_origin.split("://", 1)
    port = port_of_origin(given.portal_origin)
    if given.engines_scheme != scheme or port_of_origin(f"{scheme}://{given.engines_domain}") != port:
        raise BadConfiguration("Portal and engines must share scheme and port: see AIGC_PORTAL_ORIGIN and AIGC_ENGINES_DOMAIN.")
    if scheme == "https" and not (given.certificate and given.certificate_key):
        raise BadConfiguration("https needs a certificate: set AIGC_TLS_CERTIFICATE and AIGC_TLS_KEY to its files (PEM).")
    bare_name = portal_host.split(":")[0]
    return {
        "AIGC_GW_PORTAL_SITE": f"{scheme}://{portal_host}",
        "AIGC_GW_ENGINES_SITE": f"{scheme}://*.{given.engines_domain}",
        "AIGC_GW_REDIRECT_SITE": f"http://{bare_name}:80" if scheme == "https" else f"http://{parent_name(bare_name)}:{port}",
        "AIGC_GW_CATCH_ALL_SITE": f"{scheme}://:{port}",
        "AIGC_GW_PORTAL_ORIGIN": given.portal_origin,
        "AIGC_GW_BIND": " ".join(given.bind),
        "AIGC_GW_PORTAL": given.portal_bind,
        "AIGC_GW_PORTAL_BODY_LIMIT": f"{given.portal_body_limit_mib}MiB",
        "AIGC_GW_AUTH": caddy_address(given.gwauth_bind),
        "AIGC_GW_SECRET": given.secret,
        "AIGC_GW_UPSTREAM_PATTERN": upstream_pattern(given.local_ports, given.upstream_patterns),
        "AIGC_GW_TRUSTED_PROXIES": " ".join(given.trusted_proxies),
        "AIGC_GW_TLS": "tls_files" if scheme == "https" else "tls_none",
        "AIGC_GW_TLS_CERTIFICATE": given.certificate,
        "AIGC_GW_TLS_KEY": given.certificate_key,
        "AIGC_GW_HSTS_SECONDS": str(given.hsts_seconds),
        "AIGC_GW_ADMIN": str(given.admin_socket),
        "AIGC_GW_STORAGE": str(given.storage),
        # The heap is small and short-lived: collecting it a quarter as often is worth some tens of MiB.
        "GOGC": "400",
    }


def upstream_pattern(local_ports: range, elsewhere: Sequence[str]) -> str:
    """The only upstreams that may ever be dialled: engine ports of this machine, and what clusters elsewhere use."""
    numbers = "|".join(_numbers_between(local_ports.start, local_ports.stop - 1))
    return "|".join([rf"^127\.0\.0\.1:({numbers})$", *(f"^({pattern})$" for pattern in elsewhere)])


def _numbers_between(first: int, last: int) -> Iterator[str]:
    """Patterns that together match exactly the decimal numbers from `first` to `last`."""
    while first <= last:
        zeros = 0
        while first % 10 ** (zeros + 1) == 0 and first + 10 ** (zeros + 1) - 1 <= last and first >= 10 ** (zeros + 1):
            zeros += 1
        yield str(first // 10**zeros) + "[0-9]" * zeros
        first += 10**zeros


def port_of_origin(origin: str) -> int:
    """The port that an origin stands for."""
    scheme, host = origin.split("://", 1)
    return int(host.rsplit(":", 1)[1]) if ":" in host else {"http": 80, "https": 443}[scheme]


def parent_name(name: str) -> str:
    """`localhost` for `portal.localhost`; a name without a parent gets `www.`."""
    return name.partition(".")[2] or f"www.{name}"
