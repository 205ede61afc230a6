"""Where in a file room a page is: its addresses, the way back up, and each entry with what can be done with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse

from engines.file_room import Room
from engines.files.base import Entry, Kind, Listing, Order
from engines.pictures import MAX_SOURCE_BYTES, content_type

PAGE_SIZE = 100
_ICONS = {Kind.FOLDER: "folder", Kind.FILE: "file", Kind.LINK: "link", Kind.OTHER: "info"}


@dataclass(frozen=True)
class Place:
    """A folder of a room, on the page that shows it: an instance's tab, or the volume's own."""

    room: Room
    path: str = ""
    order: Order = Order.NAME
    page: int = 1
    on_instance: bool = False

    def at(self, path: str, *, page: int = 1, order: Order | None = None) -> str:
        """Return the address of a folder."""
        tenant = self.room.membership.tenant.slug
        query: dict[str, object] = {"path": path} if path else {}
        order = order or self.order
        query |= {"order": order.value} if order != Order.NAME else {}
        query |= {"page": page} if page > 1 else {}
        if self.on_instance and self.room.holder:
            return f"{reverse('instance', args=[tenant, self.room.holder.slug])}?{urlencode({'tab': 'files', **query})}"
        base = reverse("volume", args=[tenant, self.room.volume.slug])
        return f"{base}?{urlencode(query)}" if query else base

    @property
    def here(self) -> str:
        return self.at(self.path, page=self.page)

    @property
    def top(self) -> str:
        return self.at("")

    @property
    def crumbs(self) -> list[tuple[str, str]]:
        """Names and addresses of the folders from the volume down to this one."""
        names = self.path.split("/") if self.path else []
        return [(name, self.at("/".join(names[: depth + 1]))) for depth, name in enumerate(names)]

    @property
    def other_order(self) -> Order:
        return Order.NEWEST if self.order == Order.NAME else Order.NAME

    @property
    def reordered(self) -> str:
        return self.at(self.path, order=self.other_order)

    def below(self, name: str) -> str:
        """Return the path of a name in this folder."""
        return f"{self.path}/{name}" if self.path else name

    def rows(self, listing: Listing) -> list["FileRow"]:
        return [FileRow(self, entry) for entry in listing.entries]

    def pages(self, listing: Listing) -> "Pages":
        last = max(1, -(-listing.total // PAGE_SIZE))
        return Pages(
            number=self.page,
            last=last,
            before=self.at(self.path, page=self.page - 1) if self.page > 1 else "",
            after=self.at(self.path, page=self.page + 1) if self.page < last else "",
        )


@dataclass(frozen=True)
class Pages:
    """Which part of a long folder is shown; addresses are empty where there is no such part."""

    number: int
    last: int
    before: str
    after: str


@dataclass(frozen=True)
class FileRow:
    """An entry as a template shows it."""

    place: Place
    entry: Entry

    @property
    def icon(self) -> str:
        return "picture" if self.is_picture else _ICONS[self.entry.kind]

    @property
    def is_folder(self) -> bool:
        return self.entry.kind == Kind.FOLDER

    @property
    def is_picture(self) -> bool:
        return self.entry.kind == Kind.FILE and content_type(self.entry.name) is not None

    @property
    def can_be_chosen(self) -> bool:
        """What has no name in text cannot be named by a form; it goes with its folder."""
        return self.entry.kind != Kind.OTHER

    @property
    def href(self) -> str:
        """Where a click leads; empty for what is only shown."""
        path = self.place.below(self.entry.name)
        if self.is_folder:
            return self.place.at(path)
        return self._content("volume_file", path=path) if self.entry.kind == Kind.FILE else ""

    @property
    def show(self) -> str:
        """The picture itself, to look at."""
        return self._content("volume_file", path=self.place.below(self.entry.name), show=1, v=self.entry.version)

    @property
    def thumbnail(self) -> str:
        """A small picture of it; empty where there is none."""
        if not self.is_picture or self.entry.size_bytes > MAX_SOURCE_BYTES:
            return ""
        return self._content("volume_thumbnail", path=self.place.below(self.entry.name), v=self.entry.version)

    def _content(self, name: str, **query: object) -> str:
        room = self.place.room
        return f"{reverse(name, args=[room.membership.tenant.slug, room.volume.slug])}?{urlencode(query)}"


def mostly_pictures(rows: Sequence[FileRow]) -> bool:
    """Tell whether a folder is better seen than read."""
    return sum(row.is_picture for row in rows) * 2 > len(rows)
