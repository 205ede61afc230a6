"""What findings are made of: sentences that are put into words when somebody reads them, in their language.

Clusters are inspected in threads, and kept waiting with deadlines, where nobody knows the reader's language. Names, and what a
cluster says itself, stay as they are.
"""

from collections.abc import Sequence

from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

Words = str | Promise


def enumerated(words: Sequence[Words]) -> Words:
    """One after the other."""
    return format_lazy(", ".join("{}" for _each in words), *words)


def unknown(why: object) -> Words:
    """Say that something could not be found out, and why."""
    return format_lazy(_("unknown: {why}"), why=why)
