"""Names that people tell apart by reading them: tidied before they are stored, compared without regard to case."""

import re
import unicodedata

from django.utils.translation import gettext as _

from tenants.errors import PortalError

NAME_LENGTH = 80
_LOOKALIKES = ("LATIN", "CYRILLIC", "GREEK")
"""Scripts whose letters pass for each other's."""


class BadName(PortalError):
    """A name that people could not read, or that somebody else has."""


def tidy(name: str) -> str:
    """Return the name as it is stored: in compatible forms (NFKC), without invisible characters, single spaces between words."""
    folded = unicodedata.normalize("NFKC", name)
    visible = "".join(each for each in folded if each.isspace() or unicodedata.category(each)[0] != "C")
    return " ".join(visible.split())


def readable_name(name: str) -> str:
    """Return it tidied. Raises BadName for one that is empty or too long, or that mixes look-alike scripts within a word."""
    tidied = tidy(name)
    if not tidied:
        raise BadName(_("Give it a name."))
    if len(tidied) > NAME_LENGTH:
        raise BadName(_("The name is longer than %(limit)d characters.") % {"limit": NAME_LENGTH})
    for word in re.split(r"[\s\W_]+", tidied):
        if len({script for letter in word for script in _LOOKALIKES if unicodedata.name(letter, "").startswith(script)}) > 1:
            raise BadName(_("“%(word)s” mixes letters of different scripts that look alike.") % {"word": word})
    return tidied
