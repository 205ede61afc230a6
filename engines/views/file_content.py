"""What is in the files: one as it is, a small picture of one, several as an archive, and new ones piece by piece.

Whatever an engine wrote is hostile: nothing but pictures is ever shown by a browser in the portal's name, and those without a
right to do anything.
"""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseBase, HttpResponseNotModified, JsonResponse
from django.utils.http import parse_etags
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from engines import pictures
from engines.errors import Unavailable
from engines.file_room import room_in
from engines.file_words import FileRefused
from engines.files.base import Entry, FileRefusal, Files, Piece, Refusal
from engines.sending.files import etag_of, headed, piece, send_archive, send_file
from tenants.errors import NotAllowed, NotVisible, PortalError
from tenants.membership import PortalRequest, member


@require_GET
@login_required
def file(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponseBase:
    """Send `?path=`, or the range of it that is asked for; with `?show=1` a picture to look at."""
    room = room_in(member(request, tenant_slug), slug)
    shown = "show" in request.GET
    return send_file(request, room, request.GET.get("path", ""), shown=shown, keep="v" in request.GET)


@require_GET
@login_required
def thumbnail(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponseBase:
    """Send a small picture of `?path=`; 404 for what has none."""
    room, path = room_in(member(request, tenant_slug), slug), request.GET.get("path", "")
    with room.files() as files:
        entry = files.stat(path)
        if etag_of(entry) in parse_etags(request.headers.get("If-None-Match", "")):
            return headed(HttpResponseNotModified(), entry, keep=True)
        try:
            small = _thumbnail(files, path, entry)
        except pictures.TooBusy:
            return HttpResponse(status=503, headers={"Retry-After": "2"})
        except pictures.NoThumbnail:
            return headed(HttpResponse(status=404), entry, keep=True)
    return headed(HttpResponse(small, content_type="image/webp"), entry, keep="v" in request.GET)


@require_POST
@login_required
def archive(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponseBase:
    """Send the chosen names of the folder `path` as an archive, or all of it with `all`."""
    room, path = room_in(member(request, tenant_slug), slug), request.POST.get("path", "")
    names = [] if "all" in request.POST else request.POST.getlist("name")
    if not names and "all" not in request.POST:
        raise Unavailable(_("Choose something first."))
    return send_archive(room, path, names)


@require_POST
@login_required
def upload(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Take one piece of `?path=` as the request's body: `upload`, `offset` and `size` say which; `abandon=1` forgets it."""
    room = room_in(member(request, tenant_slug), slug)
    try:
        with room.files(to_change=True) as files:
            if "abandon" in request.GET:
                files.abandon(request.GET.get("path", ""), request.GET.get("upload", ""))
                return JsonResponse({"done": True})
            made = files.write(request.GET.get("path", ""), request, _piece(request))
    except (NotAllowed, NotVisible):
        raise
    except PortalError as refusal:
        why = refusal.refusal if isinstance(refusal, FileRefused) else ""
        # What passes by itself is asked for again by the page.
        status = 503 if why in {Refusal.UNAVAILABLE, Refusal.CUT_OFF} else 422
        return JsonResponse({"refusal": why, "sentence": str(refusal)}, status=status)
    return JsonResponse({"done": made is not None})


def _piece(request: PortalRequest) -> Piece:
    """Read what the address says of the body; limits are checked before a byte is read."""
    try:
        offset, size = int(request.GET.get("offset", "")), int(request.GET.get("size", ""))
        length = int(request.headers.get("Content-Length", ""))
    except ValueError as error:
        raise FileRefused(FileRefusal(Refusal.BAD_PIECE)) from error
    return piece(request.GET.get("upload", ""), offset=offset, length=length, size_bytes=size)


def _thumbnail(files: Files, path: str, entry: Entry) -> bytes:
    if pictures.content_type(entry.name) is None or entry.size_bytes > pictures.MAX_SOURCE_BYTES:
        raise pictures.NoThumbnail
    chunks = files.read(path).chunks
    try:
        return pictures.thumbnail(chunks)
    finally:
        chunks.close()
