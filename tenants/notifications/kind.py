"""What a kind of notification is: its words, its link, and how it reaches people."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext

Link = Callable[[str, str], str]
PATIENCE = timedelta(days=3)
"""How long a delivery is tried, and how long a webhook may fail before it is turned off."""


class Channel(StrEnum):
    """How a notification leaves the portal; within it, everybody concerned finds it in their list."""

    EMAIL = "email"
    WEBHOOK = "webhook"


class Category(StrEnum):
    """What a kind is about; people cannot opt out of mail about security."""

    ENGINES = "engines"
    PEOPLE = "people"
    SECURITY = "security"
    COSTS = "costs"
    PORTAL = "portal"


@dataclass(frozen=True)
class Words:
    """A notification as somebody reads it, in one line and in one sentence."""

    title: str
    sentence: str


@dataclass(frozen=True)
class Kind:
    """One kind of notification; `event` is its type in webhooks, `label` its name where people choose."""

    name: str
    event: str
    category: Category
    label: Promise
    title: Promise
    sentence: Promise
    link: Link
    example: Mapping[str, Any]
    channels: frozenset[Channel] = frozenset(Channel)
    mail_patience: timedelta = PATIENCE
    """How long its e-mail is worth sending: a warning of what has happened meanwhile is none. Webhooks get everything."""

    @property
    def optional(self) -> bool:
        """Whether people may do without its e-mail."""
        return Channel.EMAIL in self.channels and self.category is not Category.SECURITY

    def words(self, context: Mapping[str, Any]) -> Words:
        """Put it in the active language and time zone."""
        shown = {key: _shown(key, value) for key, value in context.items()}
        return Words(*(" ".join(str(template % shown).split()) for template in (self.title, self.sentence)))

    def require(self, context: Mapping[str, Any]) -> None:
        """Raise ValueError for a context that does not have exactly the keys of the example."""
        if context.keys() != self.example.keys():
            raise ValueError(f"{self.name} needs {sorted(self.example)}, not {sorted(context)}")


def _shown(key: str, value: Any) -> Any:
    if key.endswith("_at"):
        local = timezone.localtime(datetime.fromisoformat(value))
        return f"{date_format(local, 'DATETIME_FORMAT')} {local:%Z}"
    if key in {"why", "role"} and value:
        return gettext(value)
    return value
