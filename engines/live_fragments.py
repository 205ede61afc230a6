"""What open pages are sent, rendered once for all of them: two hundred browsers cost about as much as one.

A change is read from the database once and rendered once per kind of reader, however many sockets ask. A change announced
after the read has begun is read again, so that nobody is left with an older picture.
"""

import asyncio
import uuid
import zoneinfo
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from django.db import close_old_connections
from django.utils import timezone, translation

from engines import fragments
from engines.models import Instance
from engines.queries.instances import InstanceRow, with_details
from engines.rights import Guests, Rights, guests_of, rights_in
from engines.states import InstanceState
from tenants.models import Membership

T = TypeVar("T")
# The sockets of a tenant hear of a change one after another, without such a pause; later ones would only cause a second read.
PAUSE_SECONDS = 0.002
# One thread: renders are short, and the rest of the process keeps its share of a small machine.
_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="live")


@dataclass(frozen=True)
class Reader:
    """One open page: who looks, in which language and zone, at the list or at one instance (`shows`, a slug)."""

    membership: Membership
    language: str
    zone: str
    shows: str = ""


@dataclass(frozen=True)
class _Variant:
    """All that a fragment depends on besides the instance."""

    page: bool
    rights: Rights
    language: str
    zone: str


class Change:
    """One announced change of an instance, shared by every socket that heard of it."""

    def __init__(self, instance_id: str) -> None:
        self._instance_id = instance_id
        self._readers: set[Reader] = set()
        self._told = asyncio.Event()
        self._work = asyncio.ensure_future(self._gather_and_render())
        self._work.add_done_callback(lambda _work: self._told.set())

    async def for_reader(self, reader: Reader) -> str:
        """Return the fragment for this reader; empty if it is of no concern to the page."""
        self._readers.add(reader)
        await self._told.wait()
        return self._work.result()[reader]

    async def _gather_and_render(self) -> dict[Reader, str]:
        gathered = -1
        while gathered < len(self._readers):
            gathered = len(self._readers)
            await asyncio.sleep(PAUSE_SECONDS)
        del _unread[self._instance_id]
        return await in_thread(lambda: fragments_for(self._instance_id, self._readers))


_unread: dict[str, Change] = {}


def change_of(instance_id: str) -> Change:
    """Return the change that is about to be read for this instance, or begin one."""
    change = _unread.get(instance_id)
    if change is None:
        change = _unread[instance_id] = Change(instance_id)
    return change


async def in_thread(work: Callable[[], T]) -> T:
    """Run database work of the sockets in their own thread, and give its connection back."""

    def run() -> T:
        close_old_connections()
        try:
            return work()
        finally:
            close_old_connections()

    return await asyncio.get_running_loop().run_in_executor(_thread, run)


def fragments_for(instance_id: str, readers: Iterable[Reader]) -> dict[Reader, str]:
    """Read the instance and its guests once, and render it once per kind of reader."""
    instance = with_details(Instance.objects.filter(pk=uuid.UUID(instance_id))).first()
    guests = guests_of([instance.pk]).get(instance.pk, frozenset()) if instance else frozenset()
    rendered: dict[_Variant | None, str] = {None: ""}
    found = {}
    for reader in readers:
        variant = _variant(instance, guests, reader) if instance else None
        if instance and variant and variant not in rendered:
            rendered[variant] = _render(instance, variant)
        found[reader] = rendered[variant]
    return found


def _variant(instance: Instance, guests: Guests, reader: Reader) -> _Variant | None:
    """Return what the reader's fragment depends on; None if the change is of no concern to the page."""
    if instance.tenant_id != reader.membership.tenant_id or reader.shows not in {"", instance.slug}:
        return None
    rights = rights_in(reader.membership, instance, guests)
    return _Variant(bool(reader.shows), rights, reader.language, reader.zone)


def _render(instance: Instance, variant: _Variant) -> str:
    row = InstanceRow(instance, variant.rights)
    with translation.override(variant.language), timezone.override(zoneinfo.ZoneInfo(variant.zone)):
        if variant.page:
            return fragments.render_page(row)
        if instance.state == InstanceState.DELETED:
            return fragments.render_gone(f"instance-{instance.slug}")
        return fragments.render_row(row)
