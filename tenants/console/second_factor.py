"""Whether an operator has proved a second factor in this session, and where to go if not."""

from urllib.parse import urlencode

from allauth.account.authentication import get_authentication_records
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from tenants.models import User
from tenants.sign_in.factors import has_second_factor


def was_used(request: HttpRequest, user: User) -> bool:
    """Tell whether this session has seen a second factor of the person, at sign-in or since."""
    return any(each.get("method") == "mfa" for each in get_authentication_records(request, user))


def is_lacking(request: HttpRequest, user: User) -> bool:
    """Tell whether something is missing before an operator may enter."""
    return settings.REQUIRE_OPERATOR_MFA and not (has_second_factor(user) and was_used(request, user))


def way_to(user: User, *, back_to: str) -> str:
    """Return the address where a factor is set up, or where the one that there is is asked for."""
    if not has_second_factor(user):
        return reverse("mfa_index")
    return f"{reverse('mfa_reauthenticate')}?{urlencode({'next': back_to})}"
