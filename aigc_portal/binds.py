"""Where a program of ours listens: `host:port`, or `unix:` and the absolute path of a socket on this machine. Pure."""

from pathlib import Path

_SOCKET = "unix:"


def socket_of(bind: str) -> Path | None:
    """The socket's path; None for a host with a port."""
    return Path(bind.removeprefix(_SOCKET)) if bind.startswith(_SOCKET) else None


def host_and_port(bind: str) -> tuple[str, int]:
    """The two parts of `host:port`."""
    host, port = bind.rsplit(":", 1)
    return host, int(port)


def uvicorn_options(bind: str) -> list[str]:
    """How uvicorn is told to listen there."""
    socket = socket_of(bind)
    if socket is not None:
        return ["--uds", str(socket)]
    host, port = host_and_port(bind)
    return ["--host", host, "--port", str(port)]


def caddy_address(bind: str) -> str:
    """How Caddy is told to dial it."""
    socket = socket_of(bind)
    return bind if socket is None else f"unix/{socket}"
