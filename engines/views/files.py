"""A volume's own page, and the buttons of its file room."""

from collections.abc import Callable, Iterable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRedirect

from engines.errors import Unavailable
from engines.file_room import Room, RoomClosed, measure, room_in
from engines.file_words import FileRefused
from engines.files.base import Extent, Files
from engines.operations.taking import note_files_deleted
from engines.views.file_page import place_of, room_context
from engines.views.file_place import Place
from tenants.membership import PortalRequest, member

NAMED = 5  # so many names are read out before something is deleted


@require_GET
@login_required
def show(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Show the volume with its files."""
    return _page(request, room_in(member(request, tenant_slug), slug))


@require_GET
@login_required
def usage(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Measure the volume and show how full it is."""
    room = room_in(member(request, tenant_slug), slug)
    try:
        volume = measure(room)
    except (RoomClosed, FileRefused):
        volume = room.volume  # its last figure
    return render(request, "engines/files/_usage.html", {"volume": volume})


@require_POST
@login_required
def make_folder(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Create the folder `name` in the folder `path`."""
    room = room_in(member(request, tenant_slug), slug)
    place = place_of(request.POST, room, on_instance="on_instance" in request.POST)
    name = request.POST.get("name", "").strip()
    try:
        with room.files(to_change=True) as files:
            files.make_folder(place.below(name))
    except (FileRefused, Unavailable) as refusal:
        return _page(request, room, refusal=str(refusal))
    return redirect(place.at(place.below(name)))


@require_POST
@login_required
def rename(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Ask for a new name of the one thing that was chosen, then give it."""
    room, names = _chosen(request, tenant_slug, slug)
    if len(names) > 1:
        raise Unavailable(_("Choose one thing to rename."))
    place = place_of(request.POST, room, on_instance="on_instance" in request.POST)
    new_name = request.POST.get("new_name", names[0]).strip()

    def act(files: Files) -> None:
        files.rename(place.below(names[0]), new_name)

    refusal = ""
    if "sure" in request.POST:
        refusal = _try(room, act)
        if not refusal:
            return _back(request, place.here, _("“%(old)s” is “%(new)s” now.") % {"old": names[0], "new": new_name})
    return _ask(request, "rename", place, {"name": names[0], "new_name": new_name, "refusal": refusal})


@require_POST
@login_required
def delete(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Say what would be gone for good, then delete it."""
    room, names = _chosen(request, tenant_slug, slug)
    place = place_of(request.POST, room, on_instance="on_instance" in request.POST)

    def act(files: Files) -> None:
        for name in names:
            files.delete(place.below(name))

    refusal = ""
    if "sure" in request.POST:
        refusal = _try(room, act)
        if not refusal:
            note_files_deleted(volume=room.volume, by=room.membership, folder=place.path, names=names)
            done = ngettext("“%(name)s” is deleted.", "%(count)d things are deleted.", len(names))
            return _back(request, place.here, done % {"name": names[0], "count": len(names)})
    extent = Extent(0, 0)

    def count(files: Files) -> None:
        nonlocal extent
        extent = _sum(files.extent(place.below(name)) for name in names)

    refusal = refusal or _try(room, count)
    named = {"names": names, "named": names[:NAMED], "more": len(names) - NAMED, "extent": extent}
    return _ask(request, "delete", place, named | {"refusal": refusal})


def _chosen(request: PortalRequest, tenant_slug: str, slug: str) -> tuple[Room, list[str]]:
    room = room_in(member(request, tenant_slug), slug)
    names = [name for name in request.POST.getlist("name") if name]
    if not names:
        raise Unavailable(_("Choose something first."))
    return room, names


def _try(room: Room, act: Callable[[Files], None]) -> str:
    """Do it and return an empty text, or why it was refused."""
    try:
        with room.files(to_change=True) as files:
            act(files)
    except (FileRefused, Unavailable) as refusal:
        return str(refusal)
    return ""


def _sum(extents: Iterable[Extent]) -> Extent:
    found = list(extents)
    complete = all(extent.complete for extent in found)
    return Extent(sum(extent.files for extent in found), sum(extent.size_bytes for extent in found), complete)


def _ask(request: PortalRequest, what: str, place: Place, context: dict[str, object]) -> HttpResponse:
    """Show the question: in a dialog with JavaScript, as a page without."""
    room = place.room
    context |= {"room": room, "place": place, "membership": room.membership, "dialog": bool(request.htmx), "what": what}
    template = f"engines/files/_{what}.html" if request.htmx else "engines/files/ask.html"
    return render(request, template, context, status=422 if context["refusal"] else 200)


def _back(request: PortalRequest, address: str, done: str) -> HttpResponse:
    messages.success(request, done)
    return HttpResponseClientRedirect(address) if request.htmx else redirect(address)


def _page(request: PortalRequest, room: Room, *, refusal: str = "") -> HttpResponse:
    context = room_context(request, room, on_instance=False, refusal=refusal)
    return render(request, "engines/volume.html", context | {"membership": room.membership}, status=422 if refusal else 200)
