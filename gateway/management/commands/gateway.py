"""`manage.py gateway`: serve the portal and all engines on one port."""

import errno
import os
import socket
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from aigc_portal.embedded.account import Account, make_own_directory
from aigc_portal.embedded.errors import EmbeddedError
from aigc_portal.embedded.layout import layout_of
from aigc_portal.embedded.ports import caddy_binary, holder_of
from gateway.configuration import BadConfiguration, GatewaySettings, caddy_environment, port_of_origin

CADDYFILE = Path(__file__).parents[2] / "Caddyfile"


class Command(BaseCommand):
    help = "Run the gateway (Caddy) in the foreground: the portal's name and every engine's name on one port."
    # The gateway needs no database, and some system checks of the admin ask it.
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            binary = caddy_binary()
            environment = caddy_environment(_given(_usable_addresses()))
        except (BadConfiguration, EmbeddedError) as error:
            raise CommandError(str(error)) from error
        command = [str(binary), "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"]
        # The process becomes Caddy, so that a signal to it is a signal to Caddy.
        os.execve(binary, command, {**os.environ, **environment})  # noqa: S606 - no shell is meant


def _given(addresses: list[str]) -> GatewaySettings:
    layout = layout_of(settings.DATA_DIR)
    if not layout.run.exists():  # the embedded services make it; here they are not used
        layout.data_dir.mkdir(parents=True, exist_ok=True)
        make_own_directory(layout.run, Account(os.geteuid(), os.getegid()))
    return GatewaySettings(
        portal_origin=settings.PORTAL_ORIGIN,
        engines_scheme=settings.ENGINES_SCHEME,
        engines_domain=settings.ENGINES_DOMAIN,
        portal_bind=settings.PORTAL_BIND,
        gwauth_bind=settings.GWAUTH_BIND,
        secret=settings.GATEWAY_SECRET,
        bind=addresses,
        local_ports=settings.LOCAL_PORTS,
        upstream_patterns=settings.GATEWAY_UPSTREAM_PATTERNS,
        certificate=settings.GATEWAY_CERTIFICATE,
        certificate_key=settings.GATEWAY_CERTIFICATE_KEY,
        admin_socket=layout.gateway_admin_socket,
        storage=layout.data_dir / "caddy",
        portal_body_limit_mib=settings.BODY_LIMIT_MIB,
        hsts_seconds=settings.SECURE_HSTS_SECONDS,
        trusted_proxies=settings.GATEWAY_TRUSTED_PROXIES,
    )


def _usable_addresses() -> list[str]:
    """The addresses to listen on that this machine has; a container often lacks ::1."""
    port = port_of_origin(settings.PORTAL_ORIGIN)
    problems = {address: _listen_error(address, port) for address in settings.GATEWAY_BIND}
    if errno.EADDRINUSE in problems.values():
        raise CommandError(f"Port {port} is taken by {holder_of(port)}. End it, or choose another port in AIGC_PORTAL_ORIGIN.")
    if errno.EACCES in problems.values():
        raise CommandError(f"Port {port} needs rights that this user lacks. Choose one above 1023 in AIGC_PORTAL_ORIGIN.")
    usable = [address for address, problem in problems.items() if problem == 0]
    if not usable:
        raise CommandError(f"This machine has none of the addresses {', '.join(problems)}: see AIGC_GATEWAY_BIND.")
    return usable


def _listen_error(address: str, port: int) -> int:
    """The error number of an attempt to listen, 0 if it succeeds."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
            probe.listen()
    except OSError as error:
        return error.errno or errno.EINVAL
    return 0
