"""Ready-made lines for an engine's API, with its true address. Pure."""

from typing import NamedTuple

PLACEHOLDER = "aigc_…"


class Sample(NamedTuple):
    """Something to copy."""

    title: str
    code: str


def samples_for(origin: str, secret: str = "") -> list[Sample]:
    """A question to the engine with curl and with Python; without the secret, which nobody can show again, a stand-in."""
    token = secret or PLACEHOLDER
    address, headers = _reachable(origin)
    headers["Authorization"] = f"Bearer {token}"
    lines = "".join(f'    "{name}": "{value}",\n' for name, value in headers.items())
    python = (
        "from urllib.request import Request, urlopen\n"
        "\n"
        "headers = {\n"
        f"{lines}"
        "}\n"
        f'with urlopen(Request("{address}/", headers=headers)) as answer:\n'
        "    print(answer.status, answer.read(200))\n"
    )
    curl = f'curl --header "Authorization: Bearer {token}" {origin}/\n'
    return [Sample("curl", curl), Sample("Python", python)]


def _reachable(origin: str) -> tuple[str, dict[str, str]]:
    """How Python reaches the origin: it does not know, as curl does, that names below `.localhost` are this machine."""
    scheme, host = origin.split("://", 1)
    name, _, port = host.partition(":")
    if not name.endswith(".localhost"):
        return origin, {}
    return f"{scheme}://127.0.0.1" + (f":{port}" if port else ""), {"Host": host}
