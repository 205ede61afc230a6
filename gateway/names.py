"""Addresses of engines, and which paths a visitor may be sent back to. Pure but for the settings."""

import re
from urllib.parse import unquote

from django.conf import settings

from engines.clusters.names import SLUG_PATTERN

PATH_LIMIT = 2048
# What may stand in a Location header as it is; a browser sends nothing else in a request line.
_PLAIN_PATH = re.compile(r"/[!-\[\]-~]*")
PLATFORM_PATH = "/.aigc"


def slug_of_host(host: str) -> str | None:
    """The instance that a Host header names; None unless it is exactly `<slug>.<engines domain>`, port included."""
    label, _, domain = host.lower().partition(".")
    return label if domain == settings.ENGINES_DOMAIN and SLUG_PATTERN.fullmatch(label) else None


def safe_path(path: str) -> str:
    """The path and query if following it stays on the engine's host and outside the platform's own paths, else `/`."""
    if len(path) > PATH_LIMIT or path.startswith("//") or not _PLAIN_PATH.fullmatch(path):
        return "/"
    return "/" if unquote(path).lower().startswith(PLATFORM_PATH) else path
