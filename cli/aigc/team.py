"""Which tenant a command is for, and which of its instances: by name or id, and never by a guess."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from aigc import settings
from aigc.api import Api, Json
from aigc.failures import Failure, Misused, NotFound
from aigc.output import plain

_ID = re.compile(r"[a-z0-9]{6,20}")
_SLUG = re.compile(r"[A-Za-z0-9_-]{1,100}")
LONGEST_NAME = 60


@dataclass
class Team:
    """A tenant of the portal, as one person sees it."""

    api: Api
    slug: str

    def path(self, *parts: str) -> str:
        return "/".join(["/tenants", self.slug, *parts])

    def get(self, *parts: str, **query: Any) -> Any:
        return self.api.get(self.path(*parts), **query)

    def every(self, *parts: str, **query: Any) -> list[Json]:
        return list(self.api.every(self.path(*parts), **query))

    def instance(self, wanted: str) -> Json:
        """Return the instance of this name or id; NotFound without one, Failure naming the candidates if there are several."""
        found = {each["id"]: each for each in self._named(wanted)} | {each["id"]: each for each in self._with_id(wanted)}
        if not found:
            raise NotFound(f"There is no instance {plain(wanted)} in {self.slug} that you may see. Try `aigc list --all`.")
        if len(found) > 1:
            rows = ", ".join(f"{each['name']} ({each['id']}, of {each['owner']['username']})" for each in found.values())
            raise Failure(f"{plain(wanted)} could be any of these: {rows}. Use the other name or id of the one you mean.")
        return next(iter(found.values()))

    def act(self, instance: Json, action: str, body: Json | None = None) -> Json:
        """Ask something of an instance; returns it as it then is."""
        answered: Json = self.api.post(self.path("instances", instance["id"], action), body)
        return answered

    def _named(self, name: str) -> list[Json]:
        return self.every("instances", name=name) if 0 < len(name) <= LONGEST_NAME else []

    def _with_id(self, wanted: str) -> list[Json]:
        if not _ID.fullmatch(wanted):
            return []
        try:
            return [self.get("instances", wanted)]
        except NotFound:
            return []


@contextmanager
def portal(patience: float | None = None) -> Iterator[Api]:
    """Open the API with the token at hand; `patience` in seconds, else as the environment says."""
    access = settings.access()
    with Api(access) if patience is None else Api(access, patience) as api:
        yield api


@contextmanager
def team(wanted: str, patience: float | None = None) -> Iterator[Team]:
    """Open a tenant: the one that was named, else the stored one, else the only one there is."""
    with portal(patience) as api:
        yield Team(api, wanted_slug(wanted) or _stored(api) or _only(api))


def wanted_slug(text: str) -> str:
    """Return a tenant's slug as it was typed; Misused for what cannot be one, since it becomes part of an address."""
    if text and not _SLUG.fullmatch(text):
        raise Misused(f"{plain(text)} is no tenant. Its slug is the word after the portal's address in a browser.")
    return text


def _stored(api: Api) -> str:
    """The stored tenant is one of the stored portal's."""
    stored = settings.load()
    return stored.tenant if stored.address == api.access.address else ""


def _only(api: Api) -> str:
    slugs = [str(each["slug"]) for each in api.every("/tenants")]
    if not slugs:
        raise Failure("You belong to no tenant of this portal.")
    if len(slugs) > 1:
        raise Misused(f"Say which tenant with --tenant or AIGC_TENANT: {', '.join(slugs)}.")
    return slugs[0]
