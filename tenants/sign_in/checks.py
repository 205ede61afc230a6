"""Providers that cannot work, and a portal that nobody could enter, said before anything starts."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from tenants.sign_in.configuration import VARIABLE, ProvidersError, read_providers


@register()
def check_providers(**_: Any) -> list[CheckMessage]:
    """The providers of OpenID Connect, each problem with its file and path; and whether there is any way in."""
    hint = f"docs/guides/sign-in.md has an example for each kind of provider; unset {VARIABLE} for none."
    try:
        found = read_providers()
    except ProvidersError as error:
        return [Error(problem, hint=hint, id="aigc.E061") for problem in error.problems]
    if not settings.LOCAL_SIGN_IN and not found:
        return [
            Error(
                f"AIGC_LOCAL_SIGN_IN is off and {VARIABLE} names no provider, so that only operators could sign in.",
                hint=f"Name a provider in {VARIABLE}, or leave AIGC_LOCAL_SIGN_IN unset.",
                id="aigc.E062",
            )
        ]
    return []
