"""A volume's files as one person may use them: who may, whether the way to them is open, and what is done there.

Everything that pages do with files goes through `Room`, which asks `engines.rights` and the volume's state; the bytes themselves
are the cluster's (engines/clusters/base.py, `open_files`).
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from engines.clusters import get_cluster
from engines.clusters.base import ClusterError, ClusterUnavailable, FilesOpening
from engines.errors import Unavailable
from engines.file_words import FileRefused
from engines.files.base import FileRefusal, Files
from engines.models import Instance, Volume
from engines.queries.volumes import holder_of, volume_in
from engines.reasons import EXPLANATIONS, Reason
from engines.rights import may_see_files
from engines.states import DesiredState
from tenants import access
from tenants.access import Action
from tenants.errors import NotAllowed
from tenants.models import Membership

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Closed:
    """Why the files cannot be seen now: `opening` and `away` pass by themselves, `busy` when the engine is paused."""

    why: str  # opening, away, busy, refused, empty (nothing was ever written), missing
    sentence: Promise | str = ""  # more on what was refused


class RoomClosed(Unavailable):
    """Something was asked of files that cannot be reached now."""


@dataclass(frozen=True)
class Room:
    """The files of one volume, for somebody who may see them."""

    volume: Volume
    holder: Instance | None  # the instance that has the volume, if any
    membership: Membership

    @property
    def may_pause(self) -> bool:
        """Whether they may make its engine let go of the files."""
        return self.holder is not None and access.may_operate(self.membership, owner_id=self.holder.owner_id)

    @property
    def is_trashed(self) -> bool:
        """Whether it can be looked at and taken out, and not changed before it is restored."""
        return self.volume.state != Volume.State.ACTIVE

    @property
    def writable(self) -> bool:
        """Whether it can be changed: it is not in the trash, and its tenant does not wait for its deletion."""
        return not self.is_trashed and self.membership.tenant.is_open

    @property
    def is_clearing(self) -> bool:
        """Nobody has asked for an engine that keeps the files for itself: whatever still does is on its way out."""
        return self.holder is None or self.holder.desired_state != DesiredState.RUNNING

    def open(self) -> Files | Closed:
        """Return the way to the files, or why there is none now."""
        try:
            return get_cluster(self.volume.cluster).open_files(self.volume.ref, tenant=self.membership.tenant.slug)
        except FilesOpening:
            return Closed("opening")
        except ClusterUnavailable:
            return Closed("away")
        except ClusterError as error:
            if error.reason == Reason.VOLUME_MISSING:
                return Closed("missing" if self.volume.provisioned_at else "empty")
            if error.reason == Reason.VOLUME_IN_USE:
                return Closed("busy")
            log.warning("the files of volume %s cannot be opened: %s: %s", self.volume.slug, error.reason, error)
            return Closed("refused", EXPLANATIONS[error.reason].sentence)

    @contextmanager
    def files(self, *, to_change: bool = False) -> Iterator[Files]:
        """Yield the way to the files for one act; a refusal within becomes a FileRefused."""
        if to_change:
            access.require(self.membership, Action.OPERATE)
        if to_change and self.is_trashed:
            raise Unavailable(_("“%(name)s” is in the trash. Restore it to change what is on it.") % {"name": self.volume.name})
        files = self.open()
        if isinstance(files, Closed):
            raise RoomClosed(_("The files of “%(name)s” are not open at the moment.") % {"name": self.volume.name})
        try:
            yield files
        except FileRefusal as refusal:
            raise FileRefused(refusal) from refusal


def room_in(membership: Membership, slug: str) -> Room:
    """Return the file room of a volume; NotVisible for strangers', deleted and unknown volumes, NotAllowed for a colleague's."""
    volume = volume_in(membership, slug)
    holder = holder_of(volume)
    if not may_see_files(membership, volume, holder):
        raise NotAllowed(_("Only its owner, and whoever its engine is shared with, may see these files."))
    return Room(volume, holder, membership)


def measure(room: Room) -> Volume:
    """Measure the volume, write down how much is used, and return it; RoomClosed or FileRefused where that cannot be."""
    with room.files() as files:
        used_bytes = files.usage().used_bytes
    Volume.objects.filter(pk=room.volume.pk).exclude(used_bytes=used_bytes).update(used_bytes=used_bytes)
    room.volume.used_bytes = used_bytes
    return room.volume
