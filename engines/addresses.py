"""Addresses of engines' own pages. Pure but for the settings."""

from django.conf import settings


def engine_origin(slug: str) -> str:
    """Return the origin of an instance's own pages, without a slash at the end."""
    return f"{settings.ENGINES_SCHEME}://{slug}.{settings.ENGINES_DOMAIN}"
