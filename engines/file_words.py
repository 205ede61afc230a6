"""What a refusal of the file room is in words, for whoever asked."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from engines.files.base import FileRefusal, Refusal
from tenants.errors import PortalError

SENTENCES: dict[Refusal, Promise] = {
    Refusal.BAD_PATH: _("There is no such place in this data."),
    Refusal.BAD_NAME: _("“%(name)s” cannot be a name: it is too long, or has characters that cannot be seen or typed."),
    Refusal.NOT_FOUND: _("“%(name)s” is not there any more."),
    Refusal.NOT_A_FOLDER: _("“%(name)s” is not a folder."),
    Refusal.NOT_A_FILE: _("“%(name)s” is not a file that can be opened here."),
    Refusal.EXISTS: _("There is something named “%(name)s” already. Nothing was overwritten."),
    Refusal.FULL: _("There is not enough room for “%(name)s”. Delete something first."),
    Refusal.DENIED: _("The engine does not allow this with “%(name)s”."),
    Refusal.TOO_MANY: _("These are too many files for one archive. Choose fewer."),
    Refusal.BAD_PIECE: _("This upload does not make sense. Start it again."),
    Refusal.CUT_OFF: _("The connection broke. Try again."),
    Refusal.LOST: _("What was uploaded of “%(name)s” is gone. Start it again."),
    Refusal.UNAVAILABLE: _("The files cannot be reached at the moment. Try again."),
}


class FileRefused(PortalError):
    """A file operation that was refused; `refusal` says why, for programs."""

    def __init__(self, refusal: FileRefusal) -> None:
        """Find the sentence."""
        super().__init__(str(SENTENCES[refusal.refusal]) % {"name": shown_name(refusal.path)})
        self.refusal = refusal.refusal


def shown_name(path: str) -> str:
    """Return the last name of a path, cut and made printable."""
    name = path.rpartition("/")[2].encode(errors="replace").decode()
    return name if len(name) <= 80 else f"{name[:79]}…"
