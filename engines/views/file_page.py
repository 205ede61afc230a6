"""What a template needs to show a file room, on an instance's tab and on a volume's own page alike."""

from django.conf import settings
from django.http import QueryDict

from engines.file_room import Closed, Room
from engines.file_words import FileRefused
from engines.files.base import PIECE_BYTES, FileRefusal, Order
from engines.sending.files import MIB
from engines.states import InstanceState
from engines.views.file_place import PAGE_SIZE, Place, mostly_pictures
from tenants.membership import PortalRequest

_WHILE_IT_RUNS = {InstanceState.STARTING, InstanceState.RUNNING, InstanceState.STOPPING}


def place_of(asked: QueryDict, room: Room, *, on_instance: bool) -> Place:
    """Read which folder is meant, and how it is shown."""
    page = asked.get("page", "")
    return Place(
        room=room,
        path=asked.get("path", ""),
        order=Order.NEWEST if asked.get("order") == Order.NEWEST else Order.NAME,
        page=min(int(page), 10_000) if page.isdecimal() and int(page) else 1,
        on_instance=on_instance,
    )


def room_context(request: PortalRequest, room: Room, *, on_instance: bool, refusal: str = "") -> dict[str, object]:
    """Return the room at the folder of the request; whatever keeps it from being seen is in `closed` or `refusal`."""
    place = place_of(request.POST if request.method == "POST" else request.GET, room, on_instance=on_instance)
    context: dict[str, object] = {
        "room": room,
        "place": place,
        "refusal": refusal,
        "in_use": room.holder is not None and room.holder.state in _WHILE_IT_RUNS,
        "piece_bytes": PIECE_BYTES,
        "limit_bytes": settings.UPLOAD_LIMIT_MIB * MIB,
    }
    files = room.open()
    if isinstance(files, Closed):
        return context | {"closed": files.why, "sentence": files.sentence}
    try:
        listing = files.list(place.path, order=place.order, offset=(place.page - 1) * PAGE_SIZE, limit=PAGE_SIZE)
    except FileRefusal as error:
        return context | {"refusal": refusal or str(FileRefused(error)), "nowhere": True}
    rows = place.rows(listing)
    return context | {"rows": rows, "listing": listing, "pages": place.pages(listing), "as_grid": mostly_pictures(rows)}
