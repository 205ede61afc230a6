"""What the pages of sign-in show."""

from dataclasses import dataclass

from django import template
from django.conf import settings
from django.http import HttpRequest
from django.template import Context
from django.utils.translation import gettext as _

register = template.Library()

# The first that a browser's own description holds; most pretend to be others too.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True, slots=True)
class LocalSignIn:
    """Whether people may sign in with the portal's own passwords and passkeys, and whether the form is shown."""

    is_open: bool
    is_shown: bool


@register.simple_tag(takes_context=True)
def local_sign_in(context: Context) -> LocalSignIn:
    """Tell how far the portal's own sign-in is open; operators get its form by ?operator when it is closed to others."""
    request: HttpRequest = context["request"]
    is_open = bool(settings.LOCAL_SIGN_IN)
    return LocalSignIn(is_open, is_open or "operator" in request.GET)


@register.filter
def browser(user_agent: str) -> str:
    """Say in a few words which browser and system describes itself so."""
    name = next((each for mark, each in _BROWSERS if mark in user_agent), _("a browser"))
    system = next((each for mark, each in _SYSTEMS if mark in user_agent), "")
    return _("%(browser)s on %(system)s") % {"browser": name, "system": system} if system else name
